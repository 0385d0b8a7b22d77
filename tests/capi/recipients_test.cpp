// Grants, distributors and thresholds through the C ABI and its C++ face.
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "catch.hpp"
#include "coffer/coffer.hpp"
#include "container/grant.hpp"
#include "container/sign.hpp"
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

std::string open_class(const std::string& path, const coffer::Keyring& keys, const coffer::Policy& policy) {
    auto model = coffer::Model::open(path.c_str(), keys, policy);
    return model ? "ok" : model.error().detail();
}

}  // namespace

TEST_CASE("a grant on the keyring opens a file packed for others") {
    const Signer signer;
    const Sealed file({&signer.key});
    const auto customer = crypto::X25519Identity::generate().value();
    trust::Policy trusting;
    REQUIRE(trusting.add_signer(signer.key.signer()).ok());
    const std::vector<std::byte> grant = file.grant(customer, trusting);

    coffer::Policy policy;
    policy.trust_pem(signer.pem);
    coffer::Keyring keys;
    REQUIRE(keys.add_identity(identity_text(customer)));
    CHECK(open_class(file.path, keys, policy) == "no_recipient");
    REQUIRE(keys.add_grant(grant));
    CHECK(open_class(file.path, keys, policy) == "ok");

    const std::string path = (file.folder / "customer.grant").string();
    std::ofstream(path, std::ios::binary)
        .write(reinterpret_cast<const char*>(grant.data()), static_cast<std::streamsize>(grant.size()));
    coffer::Keyring others;
    REQUIRE(others.add_identity(identity_text(customer)));
    REQUIRE(others.add_grant_file(path.c_str()));
    CHECK(open_class(file.path, others, policy) == "ok");
    // The key is what opens it.
    coffer::Keyring thief;
    REQUIRE(thief.add_grant(grant));
    CHECK(open_class(file.path, thief, policy) == "no_recipient");
}

TEST_CASE("what is no grant is refused at once") {
    coffer::Keyring keys;
    const std::vector<std::byte> junk(200);
    CHECK(keys.add_grant(junk).error().status() == COFFER_FORMAT);
    CHECK(keys.add_grant({}).error().status() != COFFER_OK);
    CHECK(keys.add_grant_file("/nowhere/x.grant").error().status() == COFFER_IO);
    coffer_error error;
    coffer_keyring* ring = nullptr;
    REQUIRE(coffer_keyring_new(&ring, nullptr) == COFFER_OK);
    CHECK(coffer_keyring_add_grant(nullptr, junk.data(), junk.size(), &error) == COFFER_INVALID_ARGUMENT);
    CHECK(coffer_keyring_add_grant(ring, nullptr, 5, &error) == COFFER_INVALID_ARGUMENT);
    CHECK(coffer_keyring_add_grant_file(ring, nullptr, &error) == COFFER_INVALID_ARGUMENT);
    coffer_keyring_free(&ring);
}

TEST_CASE("a file that demands signed recipients opens for who trusts the distributor") {
    const Signer signer, shop;
    const Sealed file({&signer.key}, {&shop.key});
    coffer::Keyring keys;
    REQUIRE(keys.add_identity(identity_text(file.vendor)));
    coffer::Policy without, with, stranger;
    without.trust_pem(signer.pem);
    CHECK(open_class(file.path, keys, without) == "signature");
    stranger.trust_pem(signer.pem).trust_distributor_pem(Signer().pem);
    CHECK(open_class(file.path, keys, stranger) == "signature");
    const std::string path = (file.folder / "shop.pem").string();
    std::ofstream(path) << shop.pem;
    with.trust_pem(signer.pem).trust_distributor_file(path.c_str());
    REQUIRE(with.status());
    CHECK(open_class(file.path, keys, with) == "ok");

    const auto customer = crypto::X25519Identity::generate().value();
    trust::Policy trusting;
    REQUIRE(trusting.add_signer(signer.key.signer()).ok());
    REQUIRE(trusting.add_distributor(shop.key.signer()).ok());
    coffer::Keyring granted;
    REQUIRE(granted.add_identity(identity_text(customer)));
    REQUIRE(granted.add_grant(file.grant(customer, trusting, &shop.key)));
    CHECK(open_class(file.path, granted, with) == "ok");
}

TEST_CASE("a key has one role in a policy") {
    const Signer signer;
    coffer::Policy policy;
    policy.trust_pem(signer.pem).trust_distributor_pem(signer.pem);
    REQUIRE_FALSE(policy.status());
    CHECK(policy.status().error().status() == COFFER_INVALID_ARGUMENT);
    coffer_policy* raw = nullptr;
    REQUIRE(coffer_policy_new(&raw, nullptr) == COFFER_OK);
    CHECK(coffer_policy_add_distributor_pem(raw, signer.pem.data(), signer.pem.size(), nullptr) == COFFER_OK);
    CHECK(coffer_policy_add_signer_pem(raw, signer.pem.data(), signer.pem.size(), nullptr) ==
          COFFER_INVALID_ARGUMENT);
    CHECK(coffer_policy_add_distributor_pem(raw, nullptr, 3, nullptr) == COFFER_INVALID_ARGUMENT);
    CHECK(coffer_policy_add_distributor_file(raw, "/nowhere", nullptr) == COFFER_IO);
    coffer_policy_free(&raw);
}

TEST_CASE("two of three signers, added one after the other") {
    const Signer a, b, c;
    const Sealed file({});
    coffer::Keyring keys;
    REQUIRE(keys.add_identity(identity_text(file.vendor)));
    coffer::Policy two, three;
    two.trust_pem(a.pem).trust_pem(b.pem).trust_pem(c.pem).threshold(2);
    three.trust_pem(a.pem).trust_pem(b.pem).trust_pem(c.pem).threshold(3);
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
