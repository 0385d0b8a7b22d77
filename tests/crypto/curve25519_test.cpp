// X25519 and Ed25519.
#include <algorithm>

#include "crypto/ed25519.hpp"
#include "crypto/x25519.hpp"
#include "vectors.hpp"

namespace coffer::crypto {
namespace {

TEST_CASE("X25519 agrees with Wycheproof") {
    const auto vectors = load_vectors("wycheproof/x25519_test.json");
    if (!vectors) return;
    int count = 0, zero = 0;
    for (const Json& test : vectors->at("testGroups").at(0).at("tests")) {
        CAPTURE(test.at("tcId").get<int>());
        const SecretBytes secret = secret_of(unhex(test.at("private")));
        const auto shared = x25519(secret, to_array<kX25519KeySize>(unhex(test.at("public"))));
        const bool is_zero = std::ranges::find(test.at("flags"), Json("ZeroSharedSecret")) != test.at("flags").end();
        REQUIRE(shared.ok() == !is_zero);
        if (shared.ok()) REQUIRE(to_vector(shared->bytes()) == unhex(test.at("shared")));
        if (is_zero) REQUIRE(shared.error().code() == Code::kAuth);
        ++count;
        zero += is_zero;
    }
    REQUIRE(count == 518);
    REQUIRE(zero == 31);
}

TEST_CASE("X25519 agreement from both sides") {
    const X25519Identity a = X25519Identity::generate().value(), b = X25519Identity::generate().value();
    REQUIRE(x25519(a.secret, b.public_key).value() == x25519(b.secret, a.public_key).value());
    REQUIRE_FALSE(a.secret == b.secret);
    REQUIRE_FALSE(X25519Identity::from_secret(SecretBytes::create(31).value()).ok());
}

TEST_CASE("Ed25519 agrees with Wycheproof") {
    const auto vectors = load_vectors("wycheproof/ed25519_test.json");
    if (!vectors) return;
    int count = 0;
    for (const Json& group : vectors->at("testGroups")) {
        const auto key = to_array<kEd25519KeySize>(unhex(group.at("publicKey").at("pk")));
        REQUIRE(ed25519_check_public(key).ok());
        for (const Json& test : group.at("tests")) {
            CAPTURE(test.at("tcId").get<int>());
            const Status status = ed25519_verify(key, unhex(test.at("msg")), unhex(test.at("sig")));
            REQUIRE(status.ok() == (test.at("result") == "valid"));
            ++count;
        }
    }
    REQUIRE(count == 151);
}

TEST_CASE("Ed25519 signs as RFC 8032 says") {
    // RFC 8032 section 7.1, test 2.
    const SecretBytes seed = secret_of(unhex("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb"));
    const Ed25519Public key = ed25519_public(seed).value();
    REQUIRE(to_vector(key) == unhex("3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c"));
    const auto message = unhex("72");
    Ed25519Signature signature = ed25519_sign(seed, message).value();
    REQUIRE(to_vector(signature) == unhex("92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
                                          "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"));
    REQUIRE(ed25519_verify(key, message, signature).ok());
    REQUIRE_FALSE(ed25519_verify(key, unhex("73"), signature).ok());
    REQUIRE_FALSE(ed25519_verify(key, message, Bytes(signature).first(63)).ok());
    signature[10] ^= std::byte{1};
    REQUIRE(ed25519_verify(key, message, signature).error().detail() == Detail::kSignature);
}

Ed25519Public key_of(const char* hex) {
    return to_array<kEd25519KeySize>(unhex(hex));
}

TEST_CASE("public keys of small order are refused, with either sign") {
    for (const char* hex : {"0000000000000000000000000000000000000000000000000000000000000000",
                            "0100000000000000000000000000000000000000000000000000000000000000",
                            "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
                            "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
                            "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a"}) {
        Ed25519Public key = key_of(hex);
        for (int sign = 0; sign < 2; ++sign) {
            CAPTURE(hex, sign);
            REQUIRE_FALSE(ed25519_check_public(key).ok());
            key[31] ^= std::byte{0x80};
        }
    }
}

TEST_CASE("the identity as a public key would verify any message") {
    // Why the check exists: R = the identity and S = 0 satisfy the equation whatever was signed.
    const Ed25519Public identity = key_of("0100000000000000000000000000000000000000000000000000000000000000");
    Ed25519Signature forged{};
    forged[0] = std::byte{1};
    REQUIRE(ed25519_verify(identity, as_bytes("one"), forged).ok());
    REQUIRE(ed25519_verify(identity, as_bytes("another"), forged).ok());
    REQUIRE_FALSE(ed25519_check_public(identity).ok());
}

TEST_CASE("public keys that are not canonical are refused") {
    // y from p to 2^255 - 1, with either sign.
    Ed25519Public key = key_of("edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f");
    for (unsigned low = 0xed; low <= 0xff; ++low) {
        key[0] = static_cast<std::byte>(low);
        for (int sign = 0; sign < 2; ++sign) {
            REQUIRE_FALSE(ed25519_check_public(key).ok());
            key[31] ^= std::byte{0x80};
        }
    }
    key[0] = std::byte{0xeb};  // p - 2: canonical
    REQUIRE(ed25519_check_public(key).ok());
    key[0] = std::byte{0xff};
    key[15] = std::byte{0xfe};
    REQUIRE(ed25519_check_public(key).ok());
}

}  // namespace
}  // namespace coffer::crypto
