// Keys that lie elsewhere, through the C API: key services by callback and by helper, and what a token's name can do.
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "catch.hpp"
#include "coffer/coffer.h"
#include "container/write.hpp"
#include "crypto/pem.hpp"
#include "folder.hpp"
#include "runtime/graphs.hpp"
#include "trust/token.hpp"

namespace {

using namespace coffer;

// What a call gave: its status, class and message.
struct Answer {
    coffer_status status = COFFER_INTERNAL;
    coffer_error error{};

    explicit operator bool() const { return status == COFFER_OK; }
    std::string detail() const { return coffer_detail_name(error.detail); }
    bool says(const char* part) const { return std::string(error.message).find(part) != std::string::npos; }
};
template <class F, class... Args>
Answer call(F function, Args... args) {
    Answer answer;
    answer.status = function(args..., &answer.error);
    return answer;
}

class Keys {
 public:
    Keys() { REQUIRE(coffer_keyring_new(&handle_, nullptr) == COFFER_OK); }
    Keys(const Keys&) = delete;
    ~Keys() { coffer_keyring_free(&handle_); }
    coffer_keyring* get() const { return handle_; }
    template <class F, class... Args>
    Answer add(F function, Args... args) {
        return call(function, handle_, args...);
    }

 private:
    coffer_keyring* handle_ = nullptr;
};

// A signed file for these recipients, in a folder that goes with it.
class Sealed {
 public:
    explicit Sealed(std::vector<container::Recipient> recipients) {
        test::Builder b = test::small_cnn();
        b.model.name = "test";
        b.model.version = 1;
        container::WriteOptions options;
        options.recipients = std::move(recipients);
        options.signers = {&signer_};
        const auto written = container::write(b.model, options, path());
        REQUIRE(written.ok());
    }
    std::string path() const { return folder_ / "m.coffer"; }
    std::string file(const std::string& name, const std::string& text, mode_t mode) const {
        return folder_.write(name, text, mode);
    }
    Answer open(const Keys& keys) const {
        const std::string pem = crypto::ed25519_public_to_pem(signer_.signer().public_key).value();
        coffer_policy* policy = nullptr;
        coffer_model* model = nullptr;
        REQUIRE(coffer_policy_new(&policy, nullptr) == COFFER_OK);
        REQUIRE(coffer_policy_add_signer_pem(policy, pem.data(), pem.size(), nullptr) == COFFER_OK);
        const Answer answer =
            call(coffer_model_open_path, &model, path().c_str(), static_cast<const coffer_keyring*>(keys.get()),
                 static_cast<const coffer_policy*>(policy), static_cast<const coffer_open_options*>(nullptr));
        coffer_model_free(&model);
        coffer_policy_free(&policy);
        return answer;
    }

 private:
    trust::SigningKey signer_ = trust::SigningKey::generate().value();
    test::Folder folder_;
};

// Remembers what it wrapped last.
struct Service {
    std::string key, context;
    coffer_status answer = COFFER_POLICY;  // to another context
    int calls = 0;

    container::Recipient recipient(const std::string& uri) {
        return container::kms_recipient(
                   uri,
                   [this](const trust::KmsContext& where, Bytes k) {
                       key = as_text(k);
                       context = as_text(where.context);
                       return coffer::Result<std::vector<std::byte>>(std::vector<std::byte>(3, std::byte{'b'}));
                   })
            .value();
    }
    static coffer_status unwrap(void* user, const coffer_kms_request* request, uint8_t out[32], coffer_error* error) {
        auto* self = static_cast<Service*>(user);
        ++self->calls;
        CHECK(request->struct_size == sizeof *request);
        CHECK(std::string(request->uri) == "acme-kms://eu/k");
        CHECK(std::string(static_cast<const char*>(request->blob), request->blob_size) == "bbb");
        if (std::string(static_cast<const char*>(request->context), request->context_size) != self->context) {
            std::strcpy(error->message, "no grant\nfor this slot");
            return self->answer;
        }
        std::memcpy(out, self->key.data(), 32);
        return COFFER_OK;
    }
};

TEST_CASE("a key service by callback") {
    Service service;
    const Sealed file({service.recipient("acme-kms://eu/k")});
    Keys keys, elsewhere;
    void* const user = &service;
    REQUIRE(keys.add(coffer_keyring_add_kms, "acme-kms://eu/", Service::unwrap, user));
    REQUIRE(elsewhere.add(coffer_keyring_add_kms, "acme-kms://us/", Service::unwrap, user));
    REQUIRE(file.open(keys));
    CHECK(service.calls == 1);
    const Answer refused = file.open(elsewhere);
    CHECK(refused.status == COFFER_AUTH);
    CHECK(refused.detail() == "no_recipient");
    CHECK(service.calls == 1);
    service.context = "another slot";
    const Answer denied = file.open(keys);
    CHECK(denied.status == COFFER_AUTH);
    CHECK(denied.detail() == "unwrap");
    CHECK(denied.says("KMS 'acme-kms://eu/k': no grant\\x0afor this slot"));
    service.answer = COFFER_CANCELLED;
    const Answer cancelled = file.open(keys);
    CHECK(cancelled.status == COFFER_CANCELLED);
    CHECK(cancelled.detail() == "cancelled");
    CHECK(cancelled.says("no grant"));

    CHECK_FALSE(keys.add(coffer_keyring_add_kms, "acme-kms://eu/", Service::unwrap, user));  // twice
    CHECK_FALSE(keys.add(coffer_keyring_add_kms, "nothing", Service::unwrap, user));
    CHECK_FALSE(keys.add(coffer_keyring_add_kms, "x:", nullptr, user));
    CHECK_FALSE(keys.add(coffer_keyring_add_kms, nullptr, Service::unwrap, user));
    CHECK_FALSE(call(coffer_keyring_add_kms, nullptr, "x:", Service::unwrap, user));
}

// Answers like a provider of raw keys that knows the file's.
struct Provider {
    coffer_status answer = COFFER_OK;
    std::string message;
    std::string key;
    int calls = 0;

    static coffer_status unwrap(void* user, const coffer_slot* slot, uint8_t out[32], coffer_error* error) {
        auto* self = static_cast<Provider*>(user);
        ++self->calls;
        CHECK(slot->struct_size == sizeof *slot);
        CHECK(error->message[0] == '\0');
        if (self->answer == COFFER_OK) std::memcpy(out, self->key.data(), 32);
        self->message.copy(error->message, sizeof error->message);
        return self->answer;
    }
};

TEST_CASE("a key provider says why it failed, and the others are asked") {
    Service service;
    const Sealed file({service.recipient("acme-kms://eu/k")});
    Provider first, second;
    second.key = service.key;
    Keys keys;
    void *const a = &first, *const b = &second;
    REQUIRE(keys.add(coffer_keyring_add_provider, Provider::unwrap, a));
    REQUIRE(keys.add(coffer_keyring_add_provider, Provider::unwrap, b));

    first.answer = COFFER_NOT_FOUND;
    CHECK(file.open(keys));
    first.answer = COFFER_IO;
    first.message = "the network is down";
    CHECK(file.open(keys));
    CHECK(second.calls == 2);

    second.answer = COFFER_NOT_FOUND;
    const Answer failed = file.open(keys);
    CHECK(failed.status == COFFER_AUTH);
    CHECK(failed.detail() == "unwrap");
    CHECK(failed.says("key provider: the network is down"));
    first.message.clear();
    CHECK(file.open(keys).says("no reason given (io)"));
    first.message.assign(504, 'x');  // without a NUL
    CHECK(file.open(keys).says("xxx"));
    first.answer = static_cast<coffer_status>(77);
    CHECK(file.open(keys).status == COFFER_AUTH);
    first.answer = COFFER_NOT_FOUND;
    CHECK(file.open(keys).detail() == "no_recipient");

    second.calls = 0;
    for (const coffer_status ends : {COFFER_CANCELLED, COFFER_DEADLINE, COFFER_OUT_OF_MEMORY}) {
        first.answer = ends;
        CHECK(file.open(keys).status == ends);
    }
    CHECK(second.calls == 0);
}

TEST_CASE("a key service by helper, and its time-out") {
    Service service;
    const Sealed file({service.recipient("acme-kms://eu/k")});
    const std::string key = file.file("key", service.key, 0600);
    const std::string good = file.file("good", "#!/bin/sh\nexec cat \"$1\"\n", 0755);
    const std::string slow = file.file("slow", "#!/bin/sh\nsleep 60\n", 0755);
    const auto add = [](Keys& to, const char* prefix, std::vector<const char*> argv, uint32_t timeout_ms) {
        return to.add(coffer_keyring_add_kms_helper, prefix, argv.data(), argv.size(), timeout_ms);
    };
    Keys keys, late;
    REQUIRE(add(keys, "acme-kms:", {good.c_str(), key.c_str()}, 0));
    REQUIRE(file.open(keys));
    REQUIRE(add(late, "acme-kms:", {slow.c_str()}, 200));
    const Answer refused = file.open(late);
    CHECK(refused.status == COFFER_AUTH);
    CHECK(refused.says("200 ms"));
    CHECK_FALSE(add(keys, "b:", {"helper"}, 0));
    CHECK_FALSE(add(keys, "b:", {}, 0));
    CHECK_FALSE(add(keys, "b:", {"/helper", nullptr}, 0));
}

TEST_CASE("a P-256 key, as a file and as text") {
    const auto identity = crypto::P256Identity::generate().value();
    const Sealed file({container::p256_recipient(identity.public_key)});
    const auto pem = crypto::p256_private_to_pem(identity).value();
    const std::string text(as_text(pem.bytes()));
    Keys from_file, from_text, other;
    REQUIRE(from_file.add(coffer_keyring_add_file, file.file("k.pem", text, 0600).c_str()));
    REQUIRE(from_text.add(coffer_keyring_add_identity, text.data(), text.size()));
    REQUIRE(file.open(from_file));
    REQUIRE(file.open(from_text));
    const auto add = [&](const std::string& path) { return other.add(coffer_keyring_add_file, path.c_str()).status; };
    CHECK(add(file.file("open.pem", text, 0644)) == COFFER_AUTH);
    CHECK(add(file.file("empty.pem", "", 0600)) == COFFER_AUTH);
    CHECK(add("/nowhere/k.pem") == COFFER_NOT_FOUND);
    const std::string link = file.path() + ".link";
    std::filesystem::create_symlink(file.file("good.pem", text, 0600), link);
    CHECK(add(link) == COFFER_IO);
    CHECK_FALSE(file.open(other));
}

TEST_CASE("a token that cannot be reached says why") {
    Keys keys;
    void* const nobody = nullptr;
    const auto add = [&](const char* uri) { return keys.add(coffer_keyring_add_pkcs11, uri, nullptr, nobody); };
    const Answer missing = add("pkcs11:object=x?module-path=/nonexistent.so");
    CHECK(missing.status == COFFER_IO);
    CHECK(missing.says("/nonexistent.so"));
    CHECK(add("pkcs11:object=x?module-path=/m.so&pin-value=1234").status == COFFER_INVALID_ARGUMENT);
    CHECK(add(nullptr).status == COFFER_INVALID_ARGUMENT);
}

// A SoftHSM token (Debian's softhsm2 and opensc) with one P-256 key.
class Token {
 public:
    Token() {
        const std::string tokens = folder_ / "tokens";
        std::filesystem::create_directory(tokens);
        const std::string conf = folder_.write("conf", "directories.tokendir = " + tokens + "\nlog.level = ERROR\n");
        ::setenv("SOFTHSM2_CONF", conf.c_str(), 1);
        usable_ = run("softhsm2-util --init-token --free --pin 1234 --so-pin 4321 --label card") &&
                  run("pkcs11-tool --module " + std::string(kModule) +
                      " --login --pin 1234 --token-label card --keypairgen --label model"
                      " --key-type EC:prime256v1 --usage-derive --id 01");
    }
    bool usable() const { return usable_; }
    std::string uri() const { return "pkcs11:token=card;object=model?module-path=" + std::string(kModule); }

 private:
    static constexpr const char* kModule = "/usr/lib/softhsm/libsofthsm2.so";
    static bool run(const std::string& command) { return std::system((command + " > /dev/null 2>&1").c_str()) == 0; }
    test::Folder folder_;
    bool usable_ = false;
};

struct Pin {
    coffer_status answer = COFFER_OK;
    std::string text = "1234";
    size_t size = 4;
    int asked = 0;

    static coffer_status ask(void* user, const char* token, char* pin, size_t capacity, size_t* size,
                             coffer_error* error) {
        auto* self = static_cast<Pin*>(user);
        ++self->asked;
        CHECK(std::string(token) == "card");
        self->text.copy(pin, capacity);
        *size = self->size;
        std::strcpy(error->message, "nobody at the desk");
        return self->answer;
    }
};

TEST_CASE("a token's PIN: given, not given and why, put off") {
    const Token token;
    if (!token.usable()) {
        WARN("skipped: needs SoftHSM and pkcs11-tool (Debian: softhsm2, opensc)");
        return;
    }
    const auto key = trust::find_token_key(token.uri(), {}).value();
    const Sealed file({container::p256_recipient(key->public_key())});
    const auto add = [&](Keys& keys, Pin& pin) {
        void* const user = &pin;
        REQUIRE(keys.add(coffer_keyring_add_pkcs11, token.uri().c_str(), Pin::ask, user));
    };
    // A login is one for the whole process, so what fails comes first.
    Keys without, long_winded, keys;
    Pin none;
    none.answer = COFFER_NOT_FOUND;
    add(without, none);
    for (int i = 0; i < 2; ++i) {
        const Answer refused = file.open(without);
        CHECK(refused.status == COFFER_AUTH);
        CHECK(refused.detail() == "unwrap");
        CHECK(refused.says("token 'card': PIN: the caller gave none: nobody at the desk"));
    }
    CHECK(none.asked == 1);

    Pin endless;
    endless.size = 1000;
    add(long_winded, endless);
    CHECK(file.open(long_winded).says("1000 bytes"));

    Pin pin;
    add(keys, pin);
    // Whoever cancels is asked again the next time.
    pin.answer = COFFER_CANCELLED;
    CHECK(file.open(keys).status == COFFER_CANCELLED);
    pin.answer = COFFER_OK;
    CHECK(file.open(keys));
    CHECK(pin.asked == 2);
}

}  // namespace
