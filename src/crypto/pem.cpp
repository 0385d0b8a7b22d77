#include "crypto/pem.hpp"

#include <openssl/core_names.h>
#include <openssl/pkcs12.h>
#include <openssl/x509.h>

#include <algorithm>
#include <optional>

#include "crypto/ossl.hpp"

namespace coffer::crypto {
namespace {

constexpr std::string_view kPublicLabel = "PUBLIC KEY";
constexpr std::string_view kPrivateLabel = "PRIVATE KEY";
constexpr std::string_view kEncryptedLabel = "ENCRYPTED PRIVATE KEY";

// RFC 8410: the DER around an Ed25519 key is always the same.
constexpr uint8_t kPublicDer[] = {0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00};
constexpr uint8_t kPrivateDer[] = {0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06,
                                   0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20};

// RFC 5480 and RFC 5915: the same for every P-256 key with its public point in uncompressed form.
constexpr uint8_t kP256PublicDer[] = {0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01,
                                      0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00};
constexpr uint8_t kP256PrivateDer[] = {0x30, 0x81, 0x87, 0x02, 0x01, 0x00, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86,
                                       0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d,
                                       0x03, 0x01, 0x07, 0x04, 0x6d, 0x30, 0x6b, 0x02, 0x01, 0x01, 0x04, 0x20};
constexpr uint8_t kP256PointDer[] = {0xa1, 0x44, 0x03, 0x42, 0x00};  // in the private key, before the point

// PBES2 with scrypt: 16 MiB, five times. openssl(1) reads no more memory than 32 MiB.
constexpr uint64_t kPassphraseN = 1 << 14;
constexpr uint64_t kPassphraseR = 8, kPassphraseP = 5;

using Pkcs8 = ossl::Owner<PKCS8_PRIV_KEY_INFO, PKCS8_PRIV_KEY_INFO_free>;
using Encrypted = ossl::Owner<X509_SIG, X509_SIG_free>;
using Algorithm = ossl::Owner<X509_ALGOR, X509_ALGOR_free>;

constexpr char kEd25519[] = "an Ed25519", kP256[] = "a P-256";

Error malformed(const char* kind) {
    return ossl::failure_or(error(Code::kFormat, "not ", kind, " key in PEM form"));
}

std::string_view trim(std::string_view text) {
    constexpr std::string_view space = " \t\r\n";
    const size_t first = text.find_first_not_of(space);
    if (first == text.npos) return {};
    return text.substr(first, text.find_last_not_of(space) - first + 1);
}

// What stands between "-----BEGIN label-----" and "-----END label-----"; nullopt when there is anything else.
std::optional<std::string_view> single_block(std::string_view text, std::string_view label) {
    text = trim(text);
    const std::string begin = "-----BEGIN " + std::string(label) + "-----";
    const std::string end = "-----END " + std::string(label) + "-----";
    if (text.size() < begin.size() + end.size() || !text.starts_with(begin) || !text.ends_with(end))
        return std::nullopt;
    return text.substr(begin.size(), text.size() - begin.size() - end.size());
}

// Base64 in secret memory throughout, which libcrypto's reader of PEM does not offer.
Result<SecretBytes> decode_pem(Bytes pem, std::string_view label, const char* kind) {
    const auto body = pem.size() > 64 * 1024 ? std::nullopt : single_block(as_text(pem), label);
    if (!body) return malformed(kind);
    COFFER_TRY_ASSIGN(SecretBytes digits, SecretBytes::create(body->size()));
    size_t size = 0;
    for (const char c : *body) {
        if (c != '\n' && c != '\r') digits.mutable_bytes()[size++] = static_cast<std::byte>(c);
    }
    digits.truncate(size);
    const std::string_view text = as_text(digits.bytes());
    const size_t padding = text.size() - (text.find_last_not_of('=') + 1);
    // libcrypto takes blanks at both ends for nothing and '=' anywhere for zero.
    if (text.empty() || size % 4 != 0 || padding > 2 ||
        text.substr(0, size - padding).find_first_of("= \t") != text.npos) {
        return malformed(kind);
    }
    COFFER_TRY_ASSIGN(SecretBytes der, SecretBytes::create(size / 4 * 3));
    const int decoded =
        EVP_DecodeBlock(ossl::uchar(der.mutable_bytes()), ossl::uchar(digits.bytes()), static_cast<int>(size));
    if (decoded < 0 || static_cast<size_t>(decoded) != der.size()) return malformed(kind);
    der.truncate(der.size() - padding);
    return der;
}

Result<SecretBytes> encode_pem(Bytes der, std::string_view label) {
    constexpr size_t line = 64;
    const size_t base64 = (der.size() + 2) / 3 * 4;
    COFFER_TRY_ASSIGN(SecretBytes body, SecretBytes::create(base64 + 1));  // libcrypto adds a NUL
    EVP_EncodeBlock(ossl::uchar(body.mutable_bytes()), ossl::uchar(der), static_cast<int>(der.size()));

    const std::string begin = "-----BEGIN " + std::string(label) + "-----\n";
    const std::string end = "-----END " + std::string(label) + "-----\n";
    const size_t lines = (base64 + line - 1) / line;
    COFFER_TRY_ASSIGN(SecretBytes text, SecretBytes::create(begin.size() + base64 + lines + end.size()));
    std::byte* dst = text.mutable_bytes().data();
    const auto put = [&](Bytes bytes) { dst = std::copy(bytes.begin(), bytes.end(), dst); };
    put(as_bytes(begin));
    for (size_t at = 0; at < base64; at += line) {
        put(body.bytes().subspan(at, std::min(line, base64 - at)));
        put(as_bytes("\n"));
    }
    put(as_bytes(end));
    return text;
}

Pkcs8 parse_pkcs8(Bytes der) {
    const unsigned char* at = ossl::uchar(der);
    Pkcs8 info(d2i_PKCS8_PRIV_KEY_INFO(nullptr, &at, static_cast<long>(der.size())));
    return at == ossl::uchar(der) + der.size() ? std::move(info) : nullptr;
}

Pkcs8 decrypt_pkcs8(Bytes der, Bytes passphrase) {
    const unsigned char* at = ossl::uchar(der);
    const Encrypted sealed(d2i_X509_SIG(nullptr, &at, static_cast<long>(der.size())));
    if (!sealed || at != ossl::uchar(der) + der.size()) return nullptr;
    return Pkcs8(PKCS8_decrypt(sealed.get(), reinterpret_cast<const char*>(passphrase.data()),
                               static_cast<int>(passphrase.size())));
}

// The seed inside a PrivateKeyInfo: an OCTET STRING in the OCTET STRING (RFC 8410 section 7).
Result<SecretBytes> seed_of(const PKCS8_PRIV_KEY_INFO* info) {
    const ASN1_OBJECT* algorithm = nullptr;
    const unsigned char* key = nullptr;
    int size = 0;
    if (PKCS8_pkey_get0(&algorithm, &key, &size, nullptr, info) != 1 || OBJ_obj2nid(algorithm) != NID_ED25519 ||
        size != 2 + static_cast<int>(kEd25519KeySize) || key[0] != 0x04 || key[1] != kEd25519KeySize) {
        return malformed(kEd25519);
    }
    return SecretBytes::copy_of({reinterpret_cast<const std::byte*>(key + 2), kEd25519KeySize});
}

}  // namespace

bool is_pem(Bytes text) {
    return trim(as_text(text)).starts_with("-----BEGIN ");
}

Result<std::string> ed25519_public_to_pem(const Ed25519Public& key) {
    std::array<std::byte, sizeof kPublicDer + kEd25519KeySize> der;
    std::ranges::copy(std::as_bytes(std::span(kPublicDer)), der.begin());
    std::ranges::copy(key, der.begin() + sizeof kPublicDer);
    COFFER_TRY_ASSIGN(const SecretBytes text, encode_pem(der, kPublicLabel));
    return std::string(as_text(text.bytes()));
}

Result<Ed25519Public> ed25519_public_from_pem(std::string_view pem) {
    COFFER_TRY_ASSIGN(const SecretBytes der, decode_pem(as_bytes(pem), kPublicLabel, kEd25519));
    const Bytes bytes = der.bytes(), head = std::as_bytes(std::span(kPublicDer));
    if (bytes.size() != head.size() + kEd25519KeySize || !std::ranges::equal(bytes.first(head.size()), head)) {
        return malformed(kEd25519);
    }
    Ed25519Public key;
    std::ranges::copy(bytes.subspan(head.size()), key.begin());
    COFFER_TRY(ed25519_check_public(key));
    return key;
}

Result<SecretBytes> ed25519_private_to_pem(const SecretBytes& seed, Bytes passphrase) {
    if (seed.bytes().size() != kEd25519KeySize) return error(Code::kInvalidArgument, "Ed25519 key: wrong size");
    COFFER_TRY_ASSIGN(SecretBytes der, SecretBytes::create(sizeof kPrivateDer + kEd25519KeySize));
    auto* const end = std::ranges::copy(std::as_bytes(std::span(kPrivateDer)), der.mutable_bytes().data()).out;
    std::ranges::copy(seed.bytes(), end);
    if (passphrase.empty()) return encode_pem(der.bytes(), kPrivateLabel);

    const Pkcs8 info = parse_pkcs8(der.bytes());
    Algorithm pbe(
        PKCS5_pbe2_set_scrypt(EVP_aes_256_cbc(), nullptr, 16, nullptr, kPassphraseN, kPassphraseR, kPassphraseP));
    if (!info || !pbe) return ossl::failure("PKCS#8 encryption");
    const Encrypted sealed(PKCS8_set0_pbe(reinterpret_cast<const char*>(passphrase.data()),
                                          static_cast<int>(passphrase.size()), info.get(), pbe.get()));
    if (!sealed) return ossl::failure("PKCS#8 encryption");
    (void)pbe.release();  // now part of `sealed`
    unsigned char* bytes = nullptr;
    const int size = i2d_X509_SIG(sealed.get(), &bytes);
    if (size <= 0) return ossl::failure("PKCS#8 encryption");
    Result<SecretBytes> text =
        encode_pem({reinterpret_cast<std::byte*>(bytes), static_cast<size_t>(size)}, kEncryptedLabel);
    OPENSSL_free(bytes);
    return text;
}

bool is_encrypted_pem(Bytes pem) {
    return single_block(as_text(pem), kEncryptedLabel).has_value();
}

Result<SecretBytes> ed25519_private_from_pem(Bytes pem, Bytes passphrase) {
    if (!is_encrypted_pem(pem)) {
        COFFER_TRY_ASSIGN(const SecretBytes der, decode_pem(pem, kPrivateLabel, kEd25519));
        const Pkcs8 info = parse_pkcs8(der.bytes());
        if (!info) return malformed(kEd25519);
        return seed_of(info.get());
    }
    COFFER_TRY_ASSIGN(const SecretBytes der, decode_pem(pem, kEncryptedLabel, kEd25519));
    if (passphrase.empty()) return error(Code::kAuth, "the key needs a passphrase");
    const Pkcs8 info = decrypt_pkcs8(der.bytes(), passphrase);
    if (!info) return ossl::failure_or(error(Code::kAuth, "wrong passphrase, or a damaged key"));
    return seed_of(info.get());
}

Result<std::string> p256_public_to_pem(const P256Public& key) {
    std::array<std::byte, sizeof kP256PublicDer + kP256PublicSize> der;
    std::ranges::copy(key, std::ranges::copy(std::as_bytes(std::span(kP256PublicDer)), der.begin()).out);
    COFFER_TRY_ASSIGN(const SecretBytes text, encode_pem(der, kPublicLabel));
    return std::string(as_text(text.bytes()));
}

Result<P256Public> p256_public_from_pem(std::string_view pem) {
    COFFER_TRY_ASSIGN(const SecretBytes der, decode_pem(as_bytes(pem), kPublicLabel, kP256));
    const Bytes bytes = der.bytes(), head = std::as_bytes(std::span(kP256PublicDer));
    if (bytes.size() == head.size() + kP256PublicSize && std::ranges::equal(bytes.first(head.size()), head)) {
        return p256_public_from(bytes.subspan(head.size()));
    }
    // The same algorithm with a point in another form has other lengths and deserves an answer of its own.
    constexpr size_t algorithm = 21;
    if (bytes.size() > head.size() && bytes.size() != head.size() + kP256PublicSize &&
        std::ranges::equal(bytes.subspan(2, algorithm), head.subspan(2, algorithm))) {
        return p256_public_from(bytes.subspan(head.size()));
    }
    return malformed(kP256);
}

Result<SecretBytes> p256_private_to_pem(const P256Identity& identity) {
    if (identity.secret.bytes().size() != kP256KeySize) return error(Code::kInvalidArgument, "P-256 key: wrong size");
    COFFER_TRY_ASSIGN(SecretBytes der, SecretBytes::create(sizeof kP256PrivateDer + kP256KeySize +
                                                           sizeof kP256PointDer + kP256PublicSize));
    std::byte* dst = der.mutable_bytes().data();
    for (const Bytes part : {Bytes(std::as_bytes(std::span(kP256PrivateDer))), identity.secret.bytes(),
                             Bytes(std::as_bytes(std::span(kP256PointDer))), Bytes(identity.public_key)}) {
        dst = std::ranges::copy(part, dst).out;
    }
    return encode_pem(der.bytes(), kPrivateLabel);
}

Result<P256Identity> p256_private_from_pem(Bytes pem) {
    if (is_encrypted_pem(pem)) {
        return error(Code::kFormat, "the key is encrypted; keys that open models are files without a passphrase");
    }
    if (single_block(as_text(pem), "EC PRIVATE KEY")) {
        return error(Code::kFormat, "an EC PRIVATE KEY; convert it with: openssl pkcs8 -topk8 -nocrypt");
    }
    COFFER_TRY_ASSIGN(const SecretBytes der, decode_pem(pem, kPrivateLabel, kP256));
    const Pkcs8 info = parse_pkcs8(der.bytes());
    const ossl::Key key(info ? EVP_PKCS82PKEY(info.get()) : nullptr);
    char curve[32] = {};
    BIGNUM* number = nullptr;
    if (!key || EVP_PKEY_is_a(key.get(), "EC") != 1 ||
        EVP_PKEY_get_group_name(key.get(), curve, sizeof curve, nullptr) != 1 ||
        std::string_view(curve) != "prime256v1" ||
        EVP_PKEY_get_bn_param(key.get(), OSSL_PKEY_PARAM_PRIV_KEY, &number) != 1) {
        return malformed(kP256);
    }
    const ossl::Owner<BIGNUM, BN_clear_free> owned(number);
    COFFER_TRY_ASSIGN(SecretBytes secret, SecretBytes::create(kP256KeySize));
    if (BN_bn2binpad(number, ossl::uchar(secret.mutable_bytes()), static_cast<int>(kP256KeySize)) < 0) {
        return malformed(kP256);
    }
    COFFER_TRY_ASSIGN(P256Identity identity, P256Identity::from_secret(std::move(secret)));
    // The point that stands in the file must be the key's own, or it would be published as the recipient.
    std::array<std::byte, kP256PublicSize> point;
    size_t size = 0;
    if (EVP_PKEY_get_octet_string_param(key.get(), OSSL_PKEY_PARAM_PUB_KEY, ossl::uchar(MutableBytes(point)),
                                        point.size(), &size) != 1 ||
        size != point.size() || point != identity.public_key) {
        return malformed(kP256);
    }
    return identity;
}

}  // namespace coffer::crypto
