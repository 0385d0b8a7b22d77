// Grants, distributors and thresholds through the C ABI.
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "catch.hpp"
#include "coffer/coffer.h"
#include "container/grant.hpp"
#include "container/sign.hpp"
#include "container/write.hpp"
#include "crypto/age.hpp"
#include "crypto/pem.hpp"
#include "runtime/graphs.hpp"

namespace {

using coffer::Bytes;
namespace container = coffer::container;
namespace crypto = coffer::crypto;
namespace trust = coffer::trust;

struct Signer {
    trust::SigningKey key = trust::SigningKey::generate().value();
    std::string pem = crypto::ed25519_public_to_pem(key.signer().public_key).value();
};

std::string identity_text(const crypto::X25519Identity& identity) {
    const auto text = crypto::age_identity(identity).value();
    return std::string(coffer::as_text(text.bytes()));
}

// A file for one vendor identity, in a folder of its own.
struct Sealed {
    Sealed(std::vector<const trust::SigningKey*> signers, std::vector<const trust::SigningKey*> distributors = {}) {
        folder = std::filesystem::temp_directory_path() / ("capi_recipients_" + std::to_string(::getpid()));
        std::filesystem::create_directory(folder);
        path = (folder / "model.coffer").string();
        coffer::test::Builder b = coffer::test::small_cnn();
        b.model.name = "test.model";
        b.model.version = 1;
        container::WriteOptions options;
        options.recipients = {container::x25519_recipient(vendor.public_key)};
        options.signers = std::move(signers);
        options.distributors = std::move(distributors);
        const auto written = container::write(b.model, options, path);
        if (!written.ok()) FAIL(written.error().message());
    }
    ~Sealed() { std::filesystem::remove_all(folder); }

    std::vector<std::byte> grant(const crypto::X25519Identity& to, trust::Policy policy,
                                 const trust::SigningKey* distributor = nullptr) const {
        trust::Keyring ring;
        REQUIRE(ring.add_identity(crypto::X25519Identity::from_secret(vendor.secret.clone().value()).value()).ok());
        container::GrantOptions options;
        options.recipients = {container::x25519_recipient(to.public_key)};
        options.distributor = distributor;
        auto made = container::make_grant(container::Source::file(path), policy, ring, options);
        if (!made.ok()) FAIL(made.error().message());
        return std::move(made).value();
    }

    crypto::X25519Identity vendor = crypto::X25519Identity::generate().value();
    std::filesystem::path folder;
    std::string path;
};

// Handles that free themselves; what they are told to do must work.
struct Keys {
    Keys() { REQUIRE(coffer_keyring_new(&handle, nullptr) == COFFER_OK); }
    explicit Keys(const crypto::X25519Identity& identity) : Keys() {
        const std::string text = identity_text(identity);
        REQUIRE(coffer_keyring_add_identity(handle, text.data(), text.size(), nullptr) == COFFER_OK);
    }
    Keys(const Keys&) = delete;
    ~Keys() { coffer_keyring_free(&handle); }
    void grant(Bytes bytes) {
        REQUIRE(coffer_keyring_add_grant(handle, bytes.data(), bytes.size(), nullptr) == COFFER_OK);
    }
    coffer_keyring* handle = nullptr;
};
struct Trusting {
    explicit Trusting(std::initializer_list<const Signer*> signers, uint32_t threshold = 1) {
        REQUIRE(coffer_policy_new(&handle, nullptr) == COFFER_OK);
        for (const Signer* s : signers) {
            REQUIRE(coffer_policy_add_signer_pem(handle, s->pem.data(), s->pem.size(), nullptr) == COFFER_OK);
        }
        REQUIRE(coffer_policy_set_threshold(handle, threshold, nullptr) == COFFER_OK);
    }
    Trusting(const Trusting&) = delete;
    ~Trusting() { coffer_policy_free(&handle); }
    coffer_policy* handle = nullptr;
};

std::string open_class(const std::string& path, const Keys& keys, const Trusting& policy) {
    coffer_model* model = nullptr;
    coffer_error error;
    const auto status = coffer_model_open_path(&model, path.c_str(), keys.handle, policy.handle, nullptr, &error);
    coffer_model_free(&model);
    return status == COFFER_OK ? "ok" : coffer_detail_name(error.detail);
}

}  // namespace

TEST_CASE("a grant on the keyring opens a file packed for others") {
    const Signer signer;
    const Sealed file({&signer.key});
    const auto customer = crypto::X25519Identity::generate().value();
    trust::Policy trusting;
    REQUIRE(trusting.add_signer(signer.key.signer()).ok());
    const std::vector<std::byte> grant = file.grant(customer, trusting);

    const Trusting policy({&signer});
    Keys keys(customer);
    CHECK(open_class(file.path, keys, policy) == "no_recipient");
    keys.grant(grant);
    CHECK(open_class(file.path, keys, policy) == "ok");

    const std::string path = (file.folder / "customer.grant").string();
    std::ofstream(path, std::ios::binary)
        .write(reinterpret_cast<const char*>(grant.data()), static_cast<std::streamsize>(grant.size()));
    Keys others(customer);
    REQUIRE(coffer_keyring_add_grant_file(others.handle, path.c_str(), nullptr) == COFFER_OK);
    CHECK(open_class(file.path, others, policy) == "ok");
    // The key is what opens it.
    Keys thief;
    thief.grant(grant);
    CHECK(open_class(file.path, thief, policy) == "no_recipient");
}

TEST_CASE("what is no grant is refused at once") {
    const Keys keys;
    const std::vector<std::byte> junk(200);
    coffer_error error;
    CHECK(coffer_keyring_add_grant(keys.handle, junk.data(), junk.size(), &error) == COFFER_FORMAT);
    CHECK(std::string(error.message).size() > 10);
    CHECK(coffer_keyring_add_grant(keys.handle, junk.data(), 0, nullptr) == COFFER_FORMAT);
    CHECK(coffer_keyring_add_grant(nullptr, junk.data(), junk.size(), nullptr) == COFFER_INVALID_ARGUMENT);
    CHECK(coffer_keyring_add_grant(keys.handle, nullptr, 5, nullptr) == COFFER_INVALID_ARGUMENT);
    CHECK(coffer_keyring_add_grant_file(keys.handle, nullptr, nullptr) == COFFER_INVALID_ARGUMENT);
    CHECK(coffer_keyring_add_grant_file(keys.handle, "/nowhere/x.grant", nullptr) == COFFER_NOT_FOUND);
}

TEST_CASE("a file that demands signed recipients opens for who trusts the distributor") {
    const Signer signer, shop, other;
    const Sealed file({&signer.key}, {&shop.key});
    const Keys keys(file.vendor);
    const Trusting without({&signer}), with({&signer}), stranger({&signer});
    CHECK(open_class(file.path, keys, without) == "signature");
    REQUIRE(coffer_policy_add_distributor_pem(stranger.handle, other.pem.data(), other.pem.size(), nullptr) ==
            COFFER_OK);
    CHECK(open_class(file.path, keys, stranger) == "signature");
    const std::string path = (file.folder / "shop.pem").string();
    std::ofstream(path) << shop.pem;
    REQUIRE(coffer_policy_add_distributor_file(with.handle, path.c_str(), nullptr) == COFFER_OK);
    CHECK(open_class(file.path, keys, with) == "ok");

    const auto customer = crypto::X25519Identity::generate().value();
    trust::Policy trusting;
    REQUIRE(trusting.add_signer(signer.key.signer()).ok());
    REQUIRE(trusting.add_distributor(shop.key.signer()).ok());
    Keys granted(customer);
    granted.grant(file.grant(customer, trusting, &shop.key));
    CHECK(open_class(file.path, granted, with) == "ok");
}

TEST_CASE("a key has one role in a policy") {
    const Signer signer, other;
    const Trusting policy({&signer});
    const auto distributor = [&](const Signer& s) {
        return coffer_policy_add_distributor_pem(policy.handle, s.pem.data(), s.pem.size(), nullptr);
    };
    CHECK(distributor(signer) == COFFER_INVALID_ARGUMENT);
    CHECK(distributor(other) == COFFER_OK);
    CHECK(distributor(other) == COFFER_OK);
    CHECK(coffer_policy_add_signer_pem(policy.handle, other.pem.data(), other.pem.size(), nullptr) ==
          COFFER_INVALID_ARGUMENT);
    CHECK(coffer_policy_add_distributor_pem(policy.handle, nullptr, 3, nullptr) == COFFER_INVALID_ARGUMENT);
    CHECK(coffer_policy_add_distributor_file(policy.handle, "/nowhere", nullptr) == COFFER_NOT_FOUND);
}

TEST_CASE("two of three signers, added one after the other") {
    const Signer a, b, c;
    const Sealed file({});
    const Keys keys(file.vendor);
    const Trusting two({&a, &b, &c}, 2), three({&a, &b, &c}, 3);
    const auto sign = [&](const Signer& by) {
        const container::Signing signing = container::signing_with(by.key);
        REQUIRE(container::sign(file.path, {&signing, 1}).ok());
    };
    CHECK(open_class(file.path, keys, two) == "signature");
    sign(a);
    CHECK(open_class(file.path, keys, two) == "untrusted");
    sign(b);
    CHECK(open_class(file.path, keys, two) == "ok");
    CHECK(open_class(file.path, keys, three) == "untrusted");
}
