// URIs of key services, and the helper process: its protocol, and everything it can do wrong.
#include "trust/kms.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>

#include "catch.hpp"
#include "folder.hpp"
#include "trust/keyring.hpp"

namespace coffer::trust {
namespace {

TEST_CASE("a prefix covers what lies below it and nothing beside it") {
    const auto below = [](const char* uri, const char* prefix) { return kms_uri_below(uri, prefix); };
    CHECK(below("acme-kms://eu/a", "acme-kms:"));
    CHECK(below("acme-kms://eu/a", "acme-kms://eu/"));
    CHECK(below("acme-kms://eu/a", "acme-kms://eu"));
    CHECK(below("acme-kms://eu", "acme-kms://eu"));
    CHECK(below("acme-kms://eu?x", "acme-kms://eu"));
    CHECK_FALSE(below("acme-kms://eu", "acme-kms://eu/"));
    CHECK_FALSE(below("acme-kms://eu.evil.example/a", "acme-kms://eu"));
    CHECK_FALSE(below("acme-kms://eu@evil.example/a", "acme-kms://eu"));
    CHECK_FALSE(below("acme-kms://eu:99/a", "acme-kms://eu"));
    CHECK_FALSE(below("acme-kms2://eu/a", "acme-kms"));
    CHECK_FALSE(below("other://acme-kms://eu/a", "acme-kms:"));
    for (const char* dots : {"s://h/../a", "s://h/./a", "s://h/a/..", "s://h/a/.", "s://h/%2e%2e/a", "s://h/.%2E",
                             "s://h/a%2f..%2fb", "s://h/..?x", "s:..", "s:.."}) {
        CAPTURE(dots);
        CHECK_FALSE(below(dots, "s:"));
    }
    for (const char* fine : {"s://h/..a", "s://h/a..b", "s://h/.well-known", "s://h/a.", "s:v1.2"}) {
        CAPTURE(fine);
        CHECK(below(fine, "s:"));
    }
}

TEST_CASE("prefixes without a scheme are refused, and so is a second for the same") {
    Keyring ring;
    const auto never = [](const KmsContext&, Bytes) -> Result<crypto::SecretBytes> { return crypto::SecretBytes(); };
    for (const char* bad : {"", "acme", "://x", "1a:", "a b:", "acme-kms://eu/../", "acme:\n"}) {
        CAPTURE(bad);
        CHECK_FALSE(ring.add_kms(bad, KmsUnwrap(never)).ok());
    }
    CHECK_FALSE(ring.add_kms("a:" + std::string(511, 'x'), KmsUnwrap(never)).ok());
    CHECK(ring.empty());
    REQUIRE(ring.add_kms("a:", KmsUnwrap(never)).ok());
    CHECK_FALSE(ring.add_kms("a:", KmsUnwrap(never)).ok());
    REQUIRE(ring.add_kms("a://x/", KmsUnwrap(never)).ok());
    CHECK_FALSE(ring.empty());
    CHECK(ring.find_kms("a://x/1")->prefix == "a://x/");
    CHECK(ring.find_kms("a://y/1")->prefix == "a:");
    CHECK(ring.find_kms("b:1") == nullptr);
}

// A helper written for a test: a shell script with a name of its own.
class Script {
 public:
    explicit Script(const std::string& text) { folder_.write("helper", "#!/bin/sh\n" + text, 0755); }
    std::string path() const { return folder_ / "helper"; }
    std::string seen(const char* name) const {
        std::ifstream file(folder_ / name, std::ios::binary);
        return {std::istreambuf_iterator<char>(file), {}};
    }
    KmsHelper helper(uint32_t timeout_ms = 20'000) const { return {{path(), "--config", "a b*$x"}, timeout_ms}; }

 private:
    test::Folder folder_;
};

const std::string kContext(65, 'S');

Result<crypto::SecretBytes> unwrap(const Script& script, std::string_view blob = "blob",
                                   uint32_t timeout_ms = 20'000) {
    return script.helper(timeout_ms).unwrapper()({"acme-kms:key", as_bytes(kContext)}, as_bytes(blob));
}
std::string refusal(const Script& script, uint32_t timeout_ms = 20'000) {
    const auto result = unwrap(script, "blob", timeout_ms);
    REQUIRE_FALSE(result.ok());
    CHECK(result.error().code() == Code::kAuth);
    CHECK(result.error().detail() == Detail::kUnwrap);
    CHECK(result.error().message().starts_with("KMS 'acme-kms:key': "));
    return result.error().message();
}
bool contains(const std::string& text, const char* part) {
    return text.find(part) != text.npos;
}

TEST_CASE("a helper is asked in the words of docs/keys.md") {
    const Script script(
        "cd ${0%/*}; for a in \"$@\"; do printf '%s\\n' \"$a\"; done > argv; cat > request; printf %032d 7");
    const auto key = unwrap(script);
    REQUIRE(key.ok());
    CHECK(as_text(key->bytes()) == "00000000000000000000000000000007");
    CHECK(script.seen("argv") == "--config\na b*$x\nunwrap\n");
    const auto le4 = [](char n) { return std::string{n, 0, 0, 0}; };
    CHECK(script.seen("request") ==
          "coffer-kms/1\n" + le4(12) + "acme-kms:key" + le4(65) + kContext + le4(4) + "blob");

    const auto blob = script.helper().wrapper()({"acme-kms:key", as_bytes(kContext)}, as_bytes(std::string(32, 'k')));
    REQUIRE(blob.ok());
    CHECK(script.seen("argv") == "--config\na b*$x\nwrap\n");
    CHECK(script.seen("request").ends_with(le4(32) + std::string(32, 'k')));
}

TEST_CASE("what a helper can do wrong") {
    CHECK(contains(refusal(Script("printf %031d 7")), "31 bytes"));
    CHECK(contains(refusal(Script("true")), "0 bytes"));
    CHECK(contains(refusal(Script("printf %033d 7")), "more than 32 bytes"));
    CHECK(contains(refusal(Script("printf %032d 7; exit 4")), "exit code 4"));
    CHECK(contains(refusal(Script("echo 'access denied by policy' >&2; exit 1")),
                   "exit code 1: access denied by policy"));
    CHECK(contains(refusal(Script("sleep 60"), 200), "200 ms"));
    CHECK(contains(refusal(Script("kill -11 $$")), "139"));
    const std::string escaped = refusal(Script("printf 'x\\033[2J\\n' >&2; exit 1"));
    CHECK(escaped.find('\033') == std::string::npos);
    const Script script("printf %032d 7");
    KmsHelper missing = script.helper();
    missing.argv[0] += ".gone";
    CHECK(contains(missing.unwrapper()({"acme-kms:key", {}}, as_bytes("b")).error().message(), "No such file"));
}

TEST_CASE("a blob is 1 to 4096 bytes") {
    const auto wrap = [](const Script& script) {
        return script.helper().wrapper()({"acme-kms:key", as_bytes(kContext)}, as_bytes(std::string(32, 'k')));
    };
    CHECK(wrap(Script("head -c 4096 /dev/zero")).value().size() == 4096);
    CHECK_FALSE(wrap(Script("head -c 4097 /dev/zero")).ok());
    CHECK_FALSE(wrap(Script("true")).ok());
}

TEST_CASE("a helper has a path, and a time-out") {
    Keyring ring;
    CHECK_FALSE(ring.add_kms("a:", KmsHelper{}).ok());
    CHECK_FALSE(ring.add_kms("a:", KmsHelper{{"helper"}, 1000}).ok());
    CHECK_FALSE(ring.add_kms("a:", KmsHelper{{"./helper"}, 1000}).ok());
    CHECK_FALSE(ring.add_kms("a:", KmsHelper{{"/helper"}, 0}).ok());
    CHECK(ring.add_kms("a:", KmsHelper{{"/helper"}, 1000}).ok());
}

}  // namespace
}  // namespace coffer::trust
