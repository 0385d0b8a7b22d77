#include "crypto/ed25519.hpp"

#include <algorithm>

#include "crypto/ossl.hpp"

namespace coffer::crypto {
namespace {

Result<ossl::Key> private_key(const SecretBytes& seed) {
    const Bytes bytes = seed.bytes();
    if (bytes.size() != kEd25519KeySize)
        return error(Code::kInvalidArgument, "Ed25519 key: ", bytes.size(), " bytes");
    ossl::Key key(EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, nullptr, ossl::uchar(bytes), bytes.size()));
    if (!key) return ossl::failure("Ed25519 key");
    return key;
}

// y coordinates of the eight points whose order divides 8, little-endian, without the sign bit of x.
constexpr uint8_t kSmallOrder[][kEd25519KeySize] = {
    {0},  // order 4
    {1},  // the identity
    {0xec, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
     0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f},  // order 2
    {0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4, 0x89, 0xf2, 0xef, 0x98, 0xf0,
     0xd5, 0xdf, 0xac, 0x05, 0xd3, 0xc6, 0x33, 0x39, 0xb1, 0x38, 0x02, 0x88, 0x6d, 0x53, 0xfc, 0x05},  // order 8
    {0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b, 0x76, 0x0d, 0x10, 0x67, 0x0f,
     0x2a, 0x20, 0x53, 0xfa, 0x2c, 0x39, 0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac, 0x03, 0x7a},  // order 8
};

// y < p = 2^255 - 19. (A set sign bit with x = 0 would be non-canonical too; both such points are of small order.)
bool is_canonical(const Ed25519Public& y) {
    const bool high_ones = y[31] == std::byte{0x7f} &&
                           std::all_of(y.begin() + 1, y.end() - 1, [](std::byte b) { return b == std::byte{0xff}; });
    return !high_ones || y[0] < std::byte{0xed};
}

}  // namespace

Result<Ed25519Public> ed25519_public(const SecretBytes& seed) {
    COFFER_TRY_ASSIGN(const ossl::Key key, private_key(seed));
    Ed25519Public out;
    size_t size = out.size();
    if (EVP_PKEY_get_raw_public_key(key.get(), ossl::uchar(MutableBytes(out)), &size) != 1 || size != out.size()) {
        return ossl::failure("Ed25519 public key");
    }
    return out;
}

Result<Ed25519Signature> ed25519_sign(const SecretBytes& seed, Bytes message) {
    COFFER_TRY_ASSIGN(const ossl::Key key, private_key(seed));
    const ossl::MdCtx context(EVP_MD_CTX_new());
    Ed25519Signature signature;
    size_t size = signature.size();
    if (!context ||
        EVP_DigestSignInit_ex(context.get(), nullptr, nullptr, nullptr, nullptr, key.get(), nullptr) != 1 ||
        EVP_DigestSign(context.get(), ossl::uchar(MutableBytes(signature)), &size, ossl::uchar(message),
                       message.size()) != 1 ||
        size != signature.size()) {
        return ossl::failure("Ed25519 signature");
    }
    return signature;
}

Status ed25519_verify(const Ed25519Public& key, Bytes message, Bytes signature) {
    const Error refused = error(Code::kAuth, Detail::kSignature, "the signature does not verify");
    if (signature.size() != kEd25519SignatureSize) return refused;
    const ossl::Key pkey(EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, nullptr, ossl::uchar(Bytes(key)), key.size()));
    const ossl::MdCtx context(EVP_MD_CTX_new());
    if (!pkey || !context ||
        EVP_DigestVerifyInit_ex(context.get(), nullptr, nullptr, nullptr, nullptr, pkey.get(), nullptr) != 1) {
        return ossl::failure("Ed25519 verification");
    }
    if (EVP_DigestVerify(context.get(), ossl::uchar(signature), signature.size(), ossl::uchar(message),
                         message.size()) == 1) {
        return {};
    }
    return ossl::failure_or(refused);
}

Status ed25519_check_public(const Ed25519Public& key) {
    Ed25519Public y = key;
    y[31] &= std::byte{0x7f};
    if (!is_canonical(y)) return error(Code::kFormat, Detail::kUntrusted, "public key is not canonically encoded");
    for (const auto& small : kSmallOrder) {
        if (std::ranges::equal(Bytes(y), std::as_bytes(std::span(small)))) {
            return error(Code::kFormat, Detail::kUntrusted, "public key is of small order");
        }
    }
    return {};
}

}  // namespace coffer::crypto
