// Keys in tokens: their names, and SoftHSM (Debian's softhsm2 and opensc) as the token.
#include "trust/token.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>

#include "catch.hpp"
#include "crypto/hpke.hpp"

namespace coffer::trust {
namespace {

std::string refusal(std::string_view uri) {
    const auto parsed = parse_token_uri(uri);
    return parsed.ok() ? std::string() : parsed.error().message();
}
bool contains(const std::string& text, std::string_view part) {
    return text.find(part) != text.npos;
}

TEST_CASE("a token is named as RFC 7512 says, or with all attributes in one row") {
    const TokenUri a =
        parse_token_uri("pkcs11:token=My%20Token;object=a%26b&c;id=%01%ff?module-path=/m.so&pin-source=file:/pin")
            .value();
    CHECK(a.where.token == "My Token");
    CHECK(a.where.object == "a&b&c");
    CHECK(a.where.id == std::vector{std::byte{1}, std::byte{0xff}});
    CHECK(a.where.module == "/m.so");
    CHECK(a.pin_source == "file:/pin");
    const TokenUri b =
        parse_token_uri("pkcs11:module=/m.so;serial=1;model=2;manufacturer=3;type=private;id=%41;pin-source=prompt")
            .value();
    CHECK(b.where.serial == "1");
    CHECK(b.where.model == "2");
    CHECK(b.where.manufacturer == "3");
    CHECK(b.pin_source.empty());
    CHECK(contains(refusal("pkcs11:object=x"), "module-path"));
    CHECK(contains(refusal("pkcs11:module=/m.so"), "neither object nor id"));
    CHECK(contains(refusal("pkcs11:module=/m.so;object=x;pin-value=1234"), "pin-source"));
    CHECK(contains(refusal("pkcs11:module=/m.so;object=x?pin-source=1234"), "pin-source '1234'"));
    CHECK(contains(refusal("pkcs11:module=/m.so;object=x;colour=red"), "colour"));
    CHECK(contains(refusal("pkcs11:module=/m.so;object=x;object=y"), "twice"));
    CHECK(contains(refusal("pkcs11:module=/m.so;object"), "no value"));
    CHECK(contains(refusal("pkcs11:module=/m.so;object=%2"), "two digits"));
    CHECK(contains(refusal("pkcs11:module=/m.so;object=%zz"), "two digits"));
    CHECK(contains(refusal("pkcs12:"), "pkcs11:"));
    CHECK(contains(refusal(""), "pkcs11:"));
}

TEST_CASE("a module that is none") {
    Keyring ring;
    for (const char* path : {"/nonexistent.so", "/etc/passwd", "relative.so", "/lib/x86_64-linux-gnu/libc.so.6"}) {
        CAPTURE(path);
        const Status status = add_token_key(ring, std::string("pkcs11:object=x;module=") + path, {});
        REQUIRE_FALSE(status.ok());
        CHECK(contains(status.error().message(), path));
    }
    CHECK(ring.empty());
}

constexpr char kModule[] = "/usr/lib/softhsm/libsofthsm2.so";

int run(const std::string& command) {
    return std::system((command + " > /dev/null 2>&1").c_str());
}

// SoftHSM reads its configuration once a process, so there is one folder of tokens for all tests here.
class SoftHsm {
 public:
    static SoftHsm* instance() {
        static SoftHsm hsm;
        if (hsm.usable_) return &hsm;
        WARN("skipped: needs SoftHSM and pkcs11-tool (Debian: softhsm2, opensc)");
        return nullptr;
    }
    std::string uri(const std::string& rest) const { return "pkcs11:module=" + std::string(kModule) + ";" + rest; }
    bool key(const std::string& token, const std::string& label, const std::string& more) const {
        return run("pkcs11-tool --module " + std::string(kModule) + " --login --pin 1234 --token-label " + token +
                   " --keypairgen --label " + label + " " + more) == 0;
    }
    std::string pin_file(const std::string& pin) const {
        const std::string path = folder_ + "/pin-" + pin;
        std::ofstream(path) << pin << "\n";
        ::chmod(path.c_str(), 0600);
        return "file:" + path;
    }
    // Deletes the private half with the tool, as somebody else would.
    bool remove(const std::string& token, const std::string& label) const {
        return run("pkcs11-tool --module " + std::string(kModule) + " --login --pin 1234 --token-label " + token +
                   " --delete-object --type privkey --label " + label) == 0;
    }

 private:
    SoftHsm() {
        char folder[] = "/tmp/coffer-softhsm-XXXXXX";
        if (::access(kModule, R_OK) != 0 || ::mkdtemp(folder) == nullptr) return;
        folder_ = folder;
        ::mkdir((folder_ + "/tokens").c_str(), 0700);
        std::ofstream(folder_ + "/conf") << "directories.tokendir = " << folder_ << "/tokens\n"
                                         << "objectstore.backend = file\nlog.level = ERROR\n";
        ::setenv("SOFTHSM2_CONF", (folder_ + "/conf").c_str(), 1);
        usable_ = true;
        for (const char* label : {"first", "second", "second"}) {
            usable_ =
                usable_ &&
                run(std::string("softhsm2-util --init-token --free --pin 1234 --so-pin 4321 --label ") + label) == 0;
        }
        usable_ = usable_ && key("first", "model", "--key-type EC:prime256v1 --usage-derive --id 01") &&
                  key("first", "gone", "--key-type EC:prime256v1 --usage-derive --id 02") &&
                  key("first", "large", "--key-type EC:secp384r1 --usage-derive --id 03") &&
                  key("first", "rsa", "--key-type rsa:2048 --id 04") &&
                  key("first", "signer", "--key-type EC:prime256v1 --usage-sign --id 05") &&
                  key("first", "twin", "--key-type EC:prime256v1 --usage-derive --id 06") &&
                  key("first", "twin", "--key-type EC:prime256v1 --usage-derive --id 07");
    }
    ~SoftHsm() {
        if (!folder_.empty()) run("rm -rf " + folder_);
    }
    std::string folder_;
    bool usable_ = false;
};

AskPin says(std::string_view pin, int* asked = nullptr) {
    return [pin, asked](std::string_view token) -> Result<crypto::SecretBytes> {
        CHECK(token == "first");
        if (asked) ++*asked;
        return crypto::SecretBytes::copy_of(as_bytes(pin));
    };
}

TEST_CASE("a token agrees as a key in memory would, and is asked for its PIN once") {
    const SoftHsm* hsm = SoftHsm::instance();
    if (!hsm) return;
    int asked = 0;
    const auto key = find_token_key(hsm->uri("token=first;object=model"), says("1234", &asked)).value();
    CHECK(asked == 0);  // the public key is public
    REQUIRE(crypto::p256_check_public(key->public_key()).ok());
    for (int i = 0; i < 3; ++i) {
        const auto peer = crypto::P256Identity::generate().value();
        CHECK(key->agree(peer.public_key).value() == crypto::p256(peer.secret, key->public_key()).value());
    }
    CHECK(asked == 1);
    // By id, by a PIN from a file, beside the first.
    const auto again = find_token_key(hsm->uri("token=first;id=%01;pin-source=" + hsm->pin_file("1234")), {}).value();
    CHECK(again->public_key() == key->public_key());
    const auto peer = crypto::P256Identity::generate().value();
    CHECK(again->agree(peer.public_key).ok());

    Keyring ring;
    REQUIRE(add_token_key(ring, hsm->uri("token=first;object=model"), says("1234")).ok());
    CHECK(ring.p256_keys().at(0).in_device);
    CHECK(ring.p256_keys().at(0).public_key == key->public_key());
}

TEST_CASE("PINs that are wrong, missing, or nobody's to give") {
    const SoftHsm* hsm = SoftHsm::instance();
    if (!hsm) return;
    const auto peer = crypto::P256Identity::generate().value();
    const std::string uri = hsm->uri("token=first;object=model");
    const auto failure = [&](const std::string& name, AskPin ask, const char* words) {
        const auto key = find_token_key(name, std::move(ask)).value();
        const auto agreed = key->agree(peer.public_key);
        REQUIRE_FALSE(agreed.ok());
        CHECK(agreed.error().code() == Code::kAuth);
        CHECK(agreed.error().detail() == Detail::kUnwrap);
        CHECK(contains(agreed.error().message(), "token 'first'"));
        INFO(agreed.error().message());
        CHECK(contains(agreed.error().message(), words));
    };
    failure(uri, says("9999"), "PIN is wrong");
    failure(uri, says("1"), "PIN");
    failure(uri, {}, "nobody to ask");
    failure(
        uri, [](std::string_view) -> Result<crypto::SecretBytes> { return error(Code::kIo, "no terminal"); },
        "no terminal");
    failure(uri + ";pin-source=" + hsm->pin_file("5555"), {}, "PIN is wrong");
    failure(uri + ";pin-source=file:/nonexistent", {}, "/nonexistent");
    // A second try with the same PIN would bring the token nearer to locking itself.
    int asked = 0;
    const auto key = find_token_key(uri, says("9999", &asked)).value();
    CHECK_FALSE(key->agree(peer.public_key).ok());
    CHECK_FALSE(key->agree(peer.public_key).ok());
    CHECK(asked == 1);
}

TEST_CASE("tokens and keys that are not there, or not what is needed") {
    const SoftHsm* hsm = SoftHsm::instance();
    if (!hsm) return;
    const auto failure = [&](const std::string& rest) {
        const auto key = find_token_key(hsm->uri(rest), says("1234"));
        REQUIRE_FALSE(key.ok());
        CHECK(key.error().code() == Code::kAuth);
        return key.error().message();
    };
    const std::string third = failure("token=third;object=model");  // and which there are
    CHECK((contains(third, "no token 'third'") && contains(third, "'first'") && contains(third, "'second'")));
    CHECK(contains(failure("token=second;object=model"), "more than one token"));
    CHECK(contains(failure("token=first;serial=0;object=model"), "no token"));
    CHECK(contains(failure("token=first;object=missing"), "no public key 'missing'"));
    CHECK(contains(failure("token=first;object=twin"), "more than one public key"));
    CHECK(contains(failure("token=first;object=rsa"), "not an EC key"));
    CHECK(contains(failure("token=first;object=large"), "P-256"));
    CHECK(find_token_key(hsm->uri("token=first;object=twin;id=%06"), says("1234")).ok());

    const auto peer = crypto::P256Identity::generate().value();
    const auto signer = find_token_key(hsm->uri("token=first;object=signer"), says("1234")).value();
    const auto refused = signer->agree(peer.public_key);
    REQUIRE_FALSE(refused.ok());
    INFO(refused.error().message());
    CHECK(contains(refused.error().message(), "CKA_DERIVE"));

    const auto gone = find_token_key(hsm->uri("token=first;object=gone"), says("1234")).value();
    REQUIRE(hsm->remove("first", "gone"));
    const auto missing = gone->agree(peer.public_key);
    REQUIRE_FALSE(missing.ok());
    CHECK(contains(missing.error().message(), "no private key 'gone'"));
}

}  // namespace
}  // namespace coffer::trust
