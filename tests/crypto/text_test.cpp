// Keys as text: age's Bech32 and PEM.
#include <sys/stat.h>
#include <unistd.h>

#include <cctype>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <sstream>

#include "crypto/age.hpp"
#include "crypto/pem.hpp"
#include "crypto/random.hpp"
#include "folder.hpp"
#include "vectors.hpp"

namespace coffer::crypto {
namespace {

std::string encode(std::string_view prefix, Bytes data) {
    std::string text(bech32_size(prefix, data.size()), '\0');
    REQUIRE(bech32_encode(prefix, data, text).ok());
    return text;
}

TEST_CASE("Bech32 agrees with BIP 173") {
    // Valid strings of the BIP whose data is whole bytes, or none.
    REQUIRE(encode("A", {}) == "A12UEL5L");
    REQUIRE(encode("a", {}) == "a12uel5l");
    std::vector<std::byte> data(20);
    REQUIRE(bech32_decode("abcdef", "abcdef1qpzry9x8gf2tvdw0s3jn54khce6mua7lmqqqxw", data).ok());
    REQUIRE(data == unhex("00443214c74254b635cf84653a56d7c675be77df"));
    REQUIRE(encode("abcdef", data) == "abcdef1qpzry9x8gf2tvdw0s3jn54khce6mua7lmqqqxw");
}

TEST_CASE("age keys round-trip, and any changed character is noticed") {
    const X25519Identity identity = X25519Identity::generate().value();
    const std::string recipient = age_recipient(identity.public_key).value();
    REQUIRE(recipient.size() == 62);
    REQUIRE(recipient.starts_with("age1"));
    REQUIRE(parse_age_recipient(recipient).value() == identity.public_key);

    const SecretBytes text = age_identity(identity).value();
    REQUIRE(text.size() == 74);
    REQUIRE(as_text(text.bytes()).starts_with("AGE-SECRET-KEY-1"));
    const X25519Identity parsed = parse_age_identity(text.bytes()).value();
    REQUIRE(parsed.secret == identity.secret);
    REQUIRE(parsed.public_key == identity.public_key);

    for (size_t i = 0; i < recipient.size(); ++i) {
        for (char c : {'q', 'p', 'b', '1', 'A', '\0', static_cast<char>(0x80)}) {
            std::string changed = recipient;
            if (changed[i] == c) continue;
            changed[i] = c;
            CAPTURE(i, c);
            REQUIRE_FALSE(parse_age_recipient(changed).ok());
        }
        REQUIRE_FALSE(parse_age_recipient(recipient.substr(0, i)).ok());
    }
    REQUIRE_FALSE(parse_age_recipient(recipient + "q").ok());
    for (size_t i = 0; i < text.size(); ++i) {
        std::string changed(as_text(text.bytes()));
        changed[i] = changed[i] == 'Q' ? 'P' : 'Q';
        const auto refused = parse_age_identity(as_bytes(changed));
        REQUIRE_FALSE(refused.ok());
        REQUIRE(refused.error().message().find(changed.substr(20, 8)) == std::string::npos);  // no secret in it
    }
    std::string lower(as_text(text.bytes()));
    for (char& c : lower) c = static_cast<char>(std::tolower(c));
    REQUIRE_FALSE(parse_age_identity(as_bytes(lower)).ok());
}

TEST_CASE("leftover bits of a Bech32 text must be zero") {
    // 52 groups carry 260 bits for 256: the last group of a valid text is even in its low four bits.
    const auto data = random_array<32>().value();
    const std::string charset = "qpzry9x8gf2tvdw0s3jn54khce6mua7l";
    std::string text = encode("age", data);
    int accepted = 0;
    // Try every last data character with every checksum-free change: only the original may pass.
    for (char c : charset) {
        std::string changed = text;
        changed[text.size() - 7] = c;
        std::array<std::byte, 32> out;
        accepted += bech32_decode("age", changed, out).ok();
    }
    REQUIRE(accepted == 1);
    REQUIRE(charset.find(text[text.size() - 7]) % 16 == 0);
}

TEST_CASE("signing keys round-trip through PEM, plain and encrypted") {
    const SecretBytes seed = random_secret(kEd25519KeySize).value();
    const SecretBytes plain = ed25519_private_to_pem(seed, {}).value();
    REQUIRE_FALSE(is_encrypted_pem(plain.bytes()));
    REQUIRE(ed25519_private_from_pem(plain.bytes(), {}).value() == seed);

    const SecretBytes sealed = ed25519_private_to_pem(seed, as_bytes("pass phrase")).value();
    REQUIRE(is_encrypted_pem(sealed.bytes()));
    REQUIRE(ed25519_private_from_pem(sealed.bytes(), as_bytes("pass phrase")).value() == seed);
    REQUIRE(ed25519_private_from_pem(sealed.bytes(), as_bytes("Pass phrase")).error().code() == Code::kAuth);
    REQUIRE(ed25519_private_from_pem(sealed.bytes(), {}).error().code() == Code::kAuth);

    const Ed25519Public key = ed25519_public(seed).value();
    const std::string pem = ed25519_public_to_pem(key).value();
    REQUIRE(ed25519_public_from_pem(pem).value() == key);
    REQUIRE(ed25519_public_from_pem("\n" + pem + "\r\n").value() == key);
}

TEST_CASE("PEM that is not exactly one Ed25519 key is refused") {
    const SecretBytes seed = random_secret(kEd25519KeySize).value();
    const std::string pem = ed25519_public_to_pem(ed25519_public(seed).value()).value();
    REQUIRE_FALSE(ed25519_public_from_pem("").ok());
    REQUIRE_FALSE(ed25519_public_from_pem("hello\n" + pem).ok());
    REQUIRE_FALSE(ed25519_public_from_pem(pem + pem).ok());
    REQUIRE_FALSE(ed25519_public_from_pem(pem + "x").ok());
    for (size_t cut = 1; cut + 2 < pem.size(); ++cut) REQUIRE_FALSE(ed25519_public_from_pem(pem.substr(0, cut)).ok());
    const SecretBytes secret = ed25519_private_to_pem(seed, {}).value();
    REQUIRE_FALSE(ed25519_public_from_pem(as_text(secret.bytes())).ok());
    REQUIRE_FALSE(ed25519_private_from_pem(as_bytes(pem), {}).ok());
    // X25519 and P-256 keys, made with openssl(1).
    REQUIRE_FALSE(ed25519_public_from_pem("-----BEGIN PUBLIC KEY-----\n"
                                          "MCowBQYDK2VuAyEAmF8EYjBCFSNYbzLLFhJIXhHvpFIOsgUWm9rR6dfQ7wk=\n"
                                          "-----END PUBLIC KEY-----\n")
                      .ok());
    const std::string small = ed25519_public_to_pem(Ed25519Public{std::byte{1}}).value();
    REQUIRE_FALSE(ed25519_public_from_pem(small).ok());
}

// What a shell command prints; nothing if it fails.
std::string output_of(const std::string& command) {
    std::FILE* pipe = ::popen(command.c_str(), "r");
    if (pipe == nullptr) return {};
    std::string text;
    char buffer[512];
    for (size_t n; (n = std::fread(buffer, 1, sizeof buffer, pipe)) > 0;) text.append(buffer, n);
    return ::pclose(pipe) == 0 ? text : std::string();
}

using test::Folder;

TEST_CASE("age-keygen's keys are read, and it reads ours") {
    if (output_of("command -v age-keygen").empty()) {
        WARN("skipped: age-keygen is not installed");
        return;
    }
    const std::string theirs = output_of("age-keygen 2>/dev/null");
    const size_t secret_at = theirs.find("AGE-SECRET-KEY-1"), public_at = theirs.find("age1");
    REQUIRE(secret_at != theirs.npos);
    REQUIRE(public_at != theirs.npos);
    const X25519Identity identity = parse_age_identity(as_bytes(theirs.substr(secret_at, 74))).value();
    REQUIRE(age_recipient(identity.public_key).value() == theirs.substr(public_at, 62));

    const Folder folder;
    const X25519Identity ours = X25519Identity::generate().value();
    folder.write("ours.txt", age_identity(ours).value().bytes());
    REQUIRE(output_of("age-keygen -y " + (folder / "ours.txt")) == age_recipient(ours.public_key).value() + "\n");
}

TEST_CASE("openssl's signing keys are read, and it reads ours") {
    if (output_of("command -v openssl").empty()) {
        WARN("skipped: openssl is not installed");
        return;
    }
    const Folder folder;
    const SecretBytes seed = random_secret(kEd25519KeySize).value();
    const std::string pem = ed25519_public_to_pem(ed25519_public(seed).value()).value();
    folder.write("plain.pem", ed25519_private_to_pem(seed, {}).value().bytes());
    folder.write("sealed.pem", ed25519_private_to_pem(seed, as_bytes("secret")).value().bytes());
    REQUIRE(output_of("openssl pkey -pubout -in " + (folder / "plain.pem")) == pem);
    REQUIRE(output_of("openssl pkey -pubout -passin pass:secret -in " + (folder / "sealed.pem")) == pem);

    const std::string theirs = folder / "theirs.pem";
    const std::string made =
        output_of("openssl genpkey -algorithm ed25519 -aes256 -pass pass:other -out " + theirs + " && cat " + theirs);
    const SecretBytes read = ed25519_private_from_pem(as_bytes(made), as_bytes("other")).value();
    REQUIRE(output_of("openssl pkey -pubout -passin pass:other -in " + theirs) ==
            ed25519_public_to_pem(ed25519_public(read).value()).value());
    const std::string x25519 = output_of("openssl genpkey -algorithm x25519");
    REQUIRE_FALSE(ed25519_private_from_pem(as_bytes(x25519), {}).ok());
}

}  // namespace
}  // namespace coffer::crypto
