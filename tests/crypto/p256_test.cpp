// P-256: HPKE, public keys that must be refused, and keys as text.
#include "crypto/p256.hpp"

#include <algorithm>

#include "crypto/hpke.hpp"
#include "crypto/pem.hpp"
#include "vectors.hpp"

namespace coffer::crypto {
namespace {

P256Identity identity_of(const char* secret) {
    return P256Identity::from_secret(secret_of(unhex(std::string(secret)))).value();
}
std::vector<std::byte> hex(const char* text) {
    return unhex(std::string(text));
}

constexpr char kInfo[] = "4f6465206f6e2061204772656369616e2055726e";
constexpr char kText[] = "4265617574792069732074727574682c20747275746820626561757479";
constexpr char kOrder[] = "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551";

TEST_CASE("HPKE over P-256 agrees with RFC 9180 A.5.1") {
    const P256Identity recipient = identity_of("a4d1c55836aa30f9b3fbb6ac98d338c877c2867dd3a77396d13f68d3ab150d3b");
    const P256Identity ephemeral = identity_of("7550253e1147aae48839c1f8af80d2770fb7a4c763afe7d0afa7e0f42a5b3689");
    REQUIRE(to_vector(recipient.public_key) ==
            hex("04a697bffde9405c992883c5c439d6cc358170b51af72812333b015621dc0f40ba"
                "d9bb726f68a5c013806a790ec716ab8669f84f6b694596c2987cf35baba2a006"));
    const HpkeSealed sealed = hpke_seal_with_ephemeral(Suite::kChaCha20Poly1305, ephemeral, recipient.public_key,
                                                       hex(kInfo), hex("436f756e742d30"), hex(kText))
                                  .value();
    REQUIRE(to_vector(sealed.enc) == hex("04c07836a0206e04e31d8ae99bfd549380b072a1b1b82e563c935c095827824fc1"
                                         "559eac6fb9e3c70cd3193968994e7fe9781aa103f5b50e934b5b2f387e381291"));
    REQUIRE(sealed.ciphertext == hex("6469c41c5c81d3aa85432531ecf6460ec945bde1eb428cb2fedf7a29f5a685b4"
                                     "ccb0d057f03ea2952a27bb458b"));
    const auto opened = hpke_open(Suite::kChaCha20Poly1305, recipient, sealed.enc, hex(kInfo), hex("436f756e742d30"),
                                  sealed.ciphertext);
    REQUIRE(to_vector(opened.value().bytes()) == hex(kText));

    const SecretBytes dh = p256(recipient.secret, ephemeral.public_key).value();
    const HpkeContext context = hpke_key_schedule(Kem::kP256, Suite::kChaCha20Poly1305, dh.bytes(), sealed.enc,
                                                  recipient.public_key, hex(kInfo))
                                    .value();
    REQUIRE(to_vector(context.key.bytes()) ==
            hex("a8f45490a92a3b04d1dbf6cf2c3939ad8bfc9bfcb97c04bffe116730c9dfe3fc"));
    REQUIRE(to_vector(context.base_nonce) == hex("726b4390ed2209809f58c693"));
    REQUIRE(to_vector(context.exporter_secret.bytes()) ==
            hex("4f9bd9b3a8db7d7c3a5b9d44fdc1f6e37d5d77689ade5ec44a7242016e6aa205"));
}

TEST_CASE("HPKE over P-256 opens what another implementation sealed with AES-256-GCM") {
    // By pyca/cryptography 48.0.0 for the recipient of RFC 9180 A.3.1; single shot, empty aad.
    const P256Identity recipient = identity_of("f3ce7fdae57e1a310d87f1ebbde6f328be0a99cdbcadf4d6589cf29de4b8ffd2");
    REQUIRE(to_vector(recipient.public_key) ==
            hex("04fe8c19ce0905191ebc298a9245792531f26f0cece2460639e8bc39cb7f706a82"
                "6a779b4cf969b8a0e539c7f62fb3d30ad6aa8f80e30f1d128aafd68a2ce72ea0"));
    const P256Public enc = p256_public_from(hex("0444f6c85c97882520bcd49ed4b7ecbccc0ac656b4a2861f4154a3fc3db27903ba"
                                                "7eddaec733d2530b1dbeebb8dc06265b6e3e54fea9a032ed58a49dad62a7d981"))
                               .value();
    const auto opened = hpke_open(Suite::kAes256Gcm, recipient, enc, hex(kInfo), {},
                                  hex("ca95c82ea8eece2eab7b31ca9cf9bc95184a4e60e235b1bf97ba6eee123cc295"
                                      "8b08d8b8ae72261fe55cae2c26"));
    REQUIRE(to_vector(opened.value().bytes()) == hex(kText));
}

TEST_CASE("HPKE over P-256 both ways, unchanged, and in its context only") {
    const P256Identity alice = P256Identity::generate().value(), bob = P256Identity::generate().value();
    const Bytes info = as_bytes("slot"), text = as_bytes("a file key of 32 bytes, say    .");
    const HpkeSealed sealed = hpke_seal(Suite::kAes256Gcm, alice.public_key, info, {}, text).value();
    const auto opens = [&](const P256Identity& who, const P256Public& enc, Bytes i, Bytes ct) {
        const auto opened = hpke_open(Suite::kAes256Gcm, who, enc, i, {}, ct);
        if (!opened) REQUIRE(opened.error().code() == Code::kAuth);
        return opened.ok();
    };
    REQUIRE(opens(alice, sealed.enc, info, sealed.ciphertext));
    REQUIRE_FALSE(opens(bob, sealed.enc, info, sealed.ciphertext));
    REQUIRE_FALSE(opens(alice, sealed.enc, as_bytes("slog"), sealed.ciphertext));
    REQUIRE_FALSE(opens(alice, bob.public_key, info, sealed.ciphertext));
    P256Public off = sealed.enc;
    off[64] ^= std::byte{1};
    REQUIRE_FALSE(opens(alice, off, info, sealed.ciphertext));
    REQUIRE_FALSE(opens(alice, P256Public{}, info, sealed.ciphertext));
    auto changed = sealed.ciphertext;
    changed[0] ^= std::byte{1};
    REQUIRE_FALSE(opens(alice, sealed.enc, info, changed));
}

TEST_CASE("both sides of a P-256 agreement see the same") {
    const P256Identity a = P256Identity::generate().value(), b = P256Identity::generate().value();
    REQUIRE(p256(a.secret, b.public_key).value() == p256(b.secret, a.public_key).value());
}

TEST_CASE("a P-256 private key is a number from 1 to below the order") {
    const auto of = [](const std::vector<std::byte>& bytes) { return P256Identity::from_secret(secret_of(bytes)); };
    REQUIRE_FALSE(of(std::vector<std::byte>(32)).ok());
    REQUIRE_FALSE(of(hex(kOrder)).ok());
    REQUIRE_FALSE(of(std::vector<std::byte>(32, std::byte{0xff})).ok());
    REQUIRE_FALSE(of(std::vector<std::byte>(31, std::byte{1})).ok());
    auto last = hex(kOrder);
    last[31] ^= std::byte{1};  // order - 1
    const P256Identity minus = of(last).value();
    auto one = std::vector<std::byte>(32);
    one[31] = std::byte{1};
    const P256Identity plus = of(one).value();
    REQUIRE(std::ranges::equal(Bytes(plus.public_key).first(33), Bytes(minus.public_key).first(33)));  // -G and G
    REQUIRE(plus.public_key != minus.public_key);
}

// The base point of P-256, as a good example.
constexpr char kX[] = "6b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296";
constexpr char kY[] = "4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5";

TEST_CASE("P-256 public keys that are no points of the curve are refused") {
    const auto refusal = [](const std::string& text) {
        const Status status = p256_check_public(unhex(text));
        return status.ok() ? std::string() : status.error().message();
    };
    const std::string x = kX, y = kY;
    const std::string p = "ffffffff00000001000000000000000000000000ffffffffffffffffffffffff";
    REQUIRE(refusal("04" + x + y).empty());
    REQUIRE(refusal("00").find("infinity") != std::string::npos);
    REQUIRE(refusal("02" + x).find("compressed") != std::string::npos);
    REQUIRE(refusal("03" + x).find("compressed") != std::string::npos);
    REQUIRE_FALSE(refusal("").empty());
    REQUIRE_FALSE(refusal("04" + x).empty());
    REQUIRE_FALSE(refusal("04" + x + y + "00").empty());
    REQUIRE_FALSE(refusal("06" + x + y).empty());  // hybrid form
    REQUIRE_FALSE(refusal("07" + x + y).empty());
    REQUIRE_FALSE(refusal("05" + x + y).empty());
    REQUIRE_FALSE(refusal("04" + y + x).empty());
    const std::string zero(64, '0');
    REQUIRE_FALSE(refusal("04" + zero + zero).empty());
    REQUIRE_FALSE(refusal("00" + zero + zero).empty());
    REQUIRE_FALSE(refusal("04" + p + y).empty());
    REQUIRE_FALSE(refusal("04" + std::string(64, 'f') + std::string(64, 'f')).empty());
    // x = 0 has the point y = sqrt(b); with x = p the same point is not canonical.
    const std::string root = "66485c780e2f83d72433bd5d84a06bb6541c2af31dae871728bf856a174f93f4";
    REQUIRE(refusal("04" + zero + root).empty());
    REQUIRE_FALSE(refusal("04" + p + root).empty());
    // y of the same x on the twist, and the point of another curve (P-256 with another b).
    std::string other = y;
    other.back() = '4';
    REQUIRE_FALSE(refusal("04" + x + other).empty());
    REQUIRE_FALSE(p256(P256Identity::generate().value().secret, P256Public{}).ok());
}

TEST_CASE("X25519 keys of small order or in a second encoding are refused where they are imported") {
    const auto good = X25519Identity::generate().value();
    REQUIRE(x25519_check_public(good.public_key).ok());
    for (const char* text : {"0000000000000000000000000000000000000000000000000000000000000000",
                             "0100000000000000000000000000000000000000000000000000000000000000",
                             "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
                             "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
                             "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157"}) {
        CAPTURE(text);
        const auto key = to_array<kX25519KeySize>(hex(text));
        REQUIRE_FALSE(x25519_check_public(key).ok());
        REQUIRE_FALSE(x25519(good.secret, key).ok());  // what makes them bad
    }
    for (const char* text : {"edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
                             "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
                             "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
                             "0900000000000000000000000000000000000000000000000000000000000080"}) {
        CAPTURE(text);
        REQUIRE_FALSE(x25519_check_public(to_array<kX25519KeySize>(hex(text))).ok());
    }
    REQUIRE(x25519_check_public(
                to_array<kX25519KeySize>(hex("0900000000000000000000000000000000000000000000000000000000000000")))
                .ok());
}

TEST_CASE("P-256 keys as PEM") {
    const P256Identity key = P256Identity::generate().value();
    const SecretBytes text = p256_private_to_pem(key).value();
    const P256Identity again = p256_private_from_pem(text.bytes()).value();
    REQUIRE(again.secret == key.secret);
    REQUIRE(again.public_key == key.public_key);
    const std::string pem = p256_public_to_pem(key.public_key).value();
    REQUIRE(p256_public_from_pem(pem).value() == key.public_key);
    REQUIRE_FALSE(p256_private_from_pem(as_bytes(pem)).ok());
    REQUIRE_FALSE(p256_public_from_pem(as_text(text.bytes())).ok());
    REQUIRE_FALSE(ed25519_private_from_pem(text.bytes(), {}).ok());
    REQUIRE_FALSE(ed25519_public_from_pem(pem).ok());
    REQUIRE_FALSE(p256_public_from_pem(pem + pem).ok());
}

// Made with openssl(1): genpkey, then `pkey -pubout`, with `-ec_conv_form compressed` for the second.
constexpr char kOpensslPrivate[] = R"(-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgC5rup/DD5QfcMiqa
jXumhbCnUIHsY+BJWdd6qVl27cKhRANCAASrBec8LFwpPy3cH63eDC6wvSPXugHk
4GgCwrb4lRgJkCPZMxldM0n+7ceIL3yYUdX9+/eBuD3wJ5MaIKjUpzy7
-----END PRIVATE KEY-----
)";
constexpr char kOpensslPublic[] = R"(-----BEGIN PUBLIC KEY-----
MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEqwXnPCxcKT8t3B+t3gwusL0j17oB
5OBoAsK2+JUYCZAj2TMZXTNJ/u3HiC98mFHV/fv3gbg98CeTGiCo1Kc8uw==
-----END PUBLIC KEY-----
)";
constexpr char kOpensslCompressed[] = R"(-----BEGIN PUBLIC KEY-----
MDkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDIgADqwXnPCxcKT8t3B+t3gwusL0j17oB
5OBoAsK2+JUYCZA=
-----END PUBLIC KEY-----
)";
constexpr char kP384Private[] = R"(-----BEGIN PRIVATE KEY-----
MIG2AgEAMBAGByqGSM49AgEGBSuBBAAiBIGeMIGbAgEBBDChe7C9tM1K2TxtFnoG
VsFCb+LFUG1S4vwpDwQs9OVdH7fl0Uqo4QrZjRiX2iAwIGOhZANiAATEmP1LNY6d
d8z+1Z61ul/IIyiKkqeXUra7uxXsTyX4G7amWoLe37RjnCQMoGsIs0tHRBCjAxLZ
yMccM/2r7DIchfR5VNfns2QGPPh8gicc3fOYsRyS4TSc8Mq6bOhId54=
-----END PRIVATE KEY-----
)";

TEST_CASE("P-256 keys of openssl, and what is not one") {
    const P256Identity key = p256_private_from_pem(as_bytes(kOpensslPrivate)).value();
    REQUIRE(p256_public_from_pem(kOpensslPublic).value() == key.public_key);
    REQUIRE(p256_public_to_pem(key.public_key).value() == kOpensslPublic);
    REQUIRE(as_text(p256_private_to_pem(key).value().bytes()) == kOpensslPrivate);
    REQUIRE(p256_public_from_pem(kOpensslCompressed).error().message().find("compressed") != std::string::npos);
    REQUIRE_FALSE(p256_private_from_pem(as_bytes(kP384Private)).ok());
    std::string sec1(kOpensslPrivate);
    for (size_t at = 0; (at = sec1.find("PRIVATE", at)) != sec1.npos; at += 10) sec1.insert(at, "EC ");
    REQUIRE(p256_private_from_pem(as_bytes(sec1)).error().message().find("pkcs8") != std::string::npos);
    // Another private number beside the same point: the point would be published as the recipient.
    const P256Identity other = P256Identity::generate().value();
    P256Identity mixed{other.secret.clone().value(), key.public_key};
    REQUIRE_FALSE(p256_private_from_pem(p256_private_to_pem(mixed).value().bytes()).ok());
}

}  // namespace
}  // namespace coffer::crypto
