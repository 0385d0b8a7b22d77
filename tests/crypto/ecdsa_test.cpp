// ECDSA keys and signatures of the kind that other people's tools use.
#include "crypto/ecdsa.hpp"

#include "catch.hpp"

namespace coffer::crypto {
namespace {

// Made for this test by `openssl genpkey`; the same P-256 key in four forms, and others.
constexpr const char* kP256 = R"(-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgNpSz4xLLmPj8plas
/kmy6cWipSKg/cIkIqVJTJU/r2ChRANCAAS+dH+hGx0ymcnrS/jSkaLNRAwltH8D
TiDT3VrGdhDb/BkszeGO1EpscvAuJu5xhiFW3+0H1NfSKQNoTDCpdFWW
-----END PRIVATE KEY-----
)";
constexpr const char* kP256Sec1 = R"(-----BEGIN EC PRIVATE KEY-----
MHcCAQEEIDaUs+MSy5j4/KZWrP5JsunFoqUioP3CJCKlSUyVP69goAoGCCqGSM49
AwEHoUQDQgAEvnR/oRsdMpnJ60v40pGizUQMJbR/A04g091axnYQ2/wZLM3hjtRK
bHLwLibucYYhVt/tB9TX0ikDaEwwqXRVlg==
-----END EC PRIVATE KEY-----
)";
constexpr const char* kP256Encrypted = R"(-----BEGIN ENCRYPTED PRIVATE KEY-----
MIHsMFcGCSqGSIb3DQEFDTBKMCkGCSqGSIb3DQEFDDAcBAg9hF/5UX1GrQICCAAw
DAYIKoZIhvcNAgkFADAdBglghkgBZQMEASoEEHh5NysK8Z907JXhFkBGojQEgZBu
28M/JbVN2DnGU6AlU9pFd2gJVf53URD3u7QMKwpHpUYt3ikip4es2BKHx5DhvWbG
E0ZrD8jynpT+OUKfl4rhFlIb+lBWfejaQwBTLBONpthkNQa+72jeFHcM8LbpI9bC
Ua4j0Foe0MpyJnvPr22SpPuqWh6VFYcUlBQF1TBwR3cbNpz9TqkwvwjLmb3ZFxE=
-----END ENCRYPTED PRIVATE KEY-----
)";
constexpr const char* kP256EncryptedSec1 = R"(-----BEGIN EC PRIVATE KEY-----
Proc-Type: 4,ENCRYPTED
DEK-Info: AES-128-CBC,7EC560D4818A9C7477FC50FD5E32B727

PqRf8Hg90bcr8AVix7gvQTXJnDFpv2PYbWtL45DClyHICkk3xVGjcYguhQrJ0A88
mZXIri8lvjfKZQrp5C3lNU3uPbke4cIR2TxwzaBbs5diaf69f3lME6NItKce9u1P
ZFDAhiF8KexiGSCb8iVt6Iv1N9p3MGY9LdU7mZRAz8E=
-----END EC PRIVATE KEY-----
)";
constexpr const char* kP256Public = R"(-----BEGIN PUBLIC KEY-----
MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEvnR/oRsdMpnJ60v40pGizUQMJbR/
A04g091axnYQ2/wZLM3hjtRKbHLwLibucYYhVt/tB9TX0ikDaEwwqXRVlg==
-----END PUBLIC KEY-----
)";
constexpr const char* kP384 = R"(-----BEGIN PRIVATE KEY-----
MIG2AgEAMBAGByqGSM49AgEGBSuBBAAiBIGeMIGbAgEBBDA0+5dzaKonDv9ZZk8f
tkBHAcXGp/IS2BCkRik2gDdiuJsDj5KVCI2vQS2NPughaV+hZANiAATZon98T0bK
PcanmmWphcqSWFz2yKmXXcEZZZ46yng6UNoFHQkO1b4cgrJeAMCrAJDXau07vN9l
9UTdq46wq/qjEy60kh5oAwvJ3rTcF3FU0m5Wyran8UaoNBiSSjQr08U=
-----END PRIVATE KEY-----
)";
constexpr const char* kP521 = R"(-----BEGIN PRIVATE KEY-----
MIHuAgEAMBAGByqGSM49AgEGBSuBBAAjBIHWMIHTAgEBBEIB6DnIJBJF4J3/vFTX
53NrRHgiw9EhWUR9lS6zhx1bhUyd5pTzweuR5EdX98nhKaO0mLQ+z+IDyjVA7XvI
HkHdO2ahgYkDgYYABAEx4lwwTs44B4BBuj/MsgXmg3lNt8Fso3qmKrohl8gyz59V
vOUgYTX9H1YDjcUFwEBrH9o8tPzu6POwUsO6So+V0gDnUuuJMQk5I1mNl8M2+7L4
18VlsBS4ghf1saVDwOPMG9KSJEsKpkQy25JiTQLfJUOWioPKDEfuLcGMfIZhkyK2
9g==
-----END PRIVATE KEY-----
)";
constexpr const char* kP521Public = R"(-----BEGIN PUBLIC KEY-----
MIGbMBAGByqGSM49AgEGBSuBBAAjA4GGAAQBMeJcME7OOAeAQbo/zLIF5oN5TbfB
bKN6piq6IZfIMs+fVbzlIGE1/R9WA43FBcBAax/aPLT87ujzsFLDukqPldIA51Lr
iTEJOSNZjZfDNvuy+NfFZbAUuIIX9bGlQ8DjzBvSkiRLCqZEMtuSYk0C3yVDloqD
ygxH7i3BjHyGYZMitvY=
-----END PUBLIC KEY-----
)";

EcdsaPrivate key_of(std::string_view pem, std::string_view passphrase = {}) {
    return EcdsaPrivate::from_pem(as_bytes(pem), as_bytes(passphrase)).value();
}

TEST_CASE("an ECDSA signature counts for its key and message only") {
    for (const char* pem : {kP256, kP384}) {
        const EcdsaPrivate key = key_of(pem);
        const auto signature = key.sign(as_bytes("message")).value();
        REQUIRE(key.public_key().verify(as_bytes("message"), signature).ok());
        REQUIRE(key.public_key().verify(as_bytes("massage"), signature).error().code() == Code::kAuth);
        REQUIRE(key.public_key().verify(as_bytes("message"), {}).error().code() == Code::kAuth);
        const EcdsaPrivate other = key_of(pem == kP256 ? kP384 : kP256);
        REQUIRE(other.public_key().verify(as_bytes("message"), signature).error().code() == Code::kAuth);
        for (size_t i = 0; i < signature.size(); ++i) {
            auto changed = signature;
            changed[i] ^= std::byte{1};
            REQUIRE_FALSE(key.public_key().verify(as_bytes("message"), changed).ok());
        }
        auto longer = signature;
        longer.push_back(std::byte{0});
        REQUIRE_FALSE(key.public_key().verify(as_bytes("message"), longer).ok());
    }
}

TEST_CASE("a key is the same key in every form") {
    REQUIRE(key_of(kP256).public_key().pem() == kP256Public);
    REQUIRE(key_of(kP256Sec1).public_key().pem() == kP256Public);
    REQUIRE(key_of(kP256Encrypted, "secret").public_key().pem() == kP256Public);
    REQUIRE(key_of(kP256EncryptedSec1, "secret").public_key().pem() == kP256Public);
    const std::string noisy = "Curve: P-256\n\n" + std::string(kP256Public) + "trailing\n";
    const EcdsaPublic key = EcdsaPublic::from_pem(noisy).value();
    REQUIRE(key.pem() == kP256Public);
    REQUIRE(key.verify(as_bytes("x"), key_of(kP256).sign(as_bytes("x")).value()).ok());
}

TEST_CASE("a passphrase is never asked for, only taken") {
    for (const char* pem : {kP256Encrypted, kP256EncryptedSec1}) {
        REQUIRE(EcdsaPrivate::needs_passphrase(as_bytes(pem)));
        REQUIRE(EcdsaPrivate::from_pem(as_bytes(pem), {}).error().code() == Code::kAuth);
        REQUIRE(EcdsaPrivate::from_pem(as_bytes(pem), as_bytes("wrong")).error().code() == Code::kAuth);
    }
    REQUIRE_FALSE(EcdsaPrivate::needs_passphrase(as_bytes(kP256)));
}

TEST_CASE("what is no such key is refused") {
    REQUIRE(EcdsaPrivate::from_pem(as_bytes(kP521), {}).error().code() == Code::kUnsupported);
    REQUIRE(EcdsaPublic::from_pem(kP521Public).error().code() == Code::kUnsupported);
    REQUIRE(EcdsaPrivate::from_pem(as_bytes(kP256Public), {}).error().code() == Code::kFormat);
    REQUIRE(EcdsaPublic::from_pem(kP256).error().code() == Code::kFormat);
    REQUIRE(EcdsaPublic::from_pem("").error().code() == Code::kFormat);
    REQUIRE(EcdsaPublic::from_pem(std::string(100'000, '-')).error().code() == Code::kFormat);
    constexpr const char* ed25519 =
        "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=\n-----END PUBLIC "
        "KEY-----\n";
    REQUIRE(EcdsaPublic::from_pem(ed25519).error().code() == Code::kFormat);
    // A point that is not on the curve.
    std::string off = kP256Public;
    off[off.size() - 40] = off[off.size() - 40] == 'A' ? 'B' : 'A';
    REQUIRE(EcdsaPublic::from_pem(off).error().code() == Code::kFormat);
}

}  // namespace
}  // namespace coffer::crypto
