#include "crypto/x25519.hpp"

#include <algorithm>

#include "crypto/ossl.hpp"
#include "crypto/random.hpp"

namespace coffer::crypto {
namespace {

Result<ossl::Key> private_key(const SecretBytes& secret) {
    const Bytes bytes = secret.bytes();
    if (bytes.size() != kX25519KeySize) return error(Code::kInvalidArgument, "X25519 key: ", bytes.size(), " bytes");
    ossl::Key key(EVP_PKEY_new_raw_private_key(EVP_PKEY_X25519, nullptr, ossl::uchar(bytes), bytes.size()));
    if (!key) return ossl::failure("X25519 key");
    return key;
}

Result<X25519Public> public_half(const ossl::Key& key) {
    X25519Public out;
    size_t size = out.size();
    if (EVP_PKEY_get_raw_public_key(key.get(), ossl::uchar(MutableBytes(out)), &size) != 1 || size != out.size()) {
        return ossl::failure("X25519 public key");
    }
    return out;
}

// u coordinates of the points whose order divides 8, on the curve and on its twist, little-endian.
constexpr uint8_t kSmallOrder[][kX25519KeySize] = {
    {0},
    {1},
    {0xec, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
     0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f},
    {0xe0, 0xeb, 0x7a, 0x7c, 0x3b, 0x41, 0xb8, 0xae, 0x16, 0x56, 0xe3, 0xfa, 0xf1, 0x9f, 0xc4, 0x6a,
     0xda, 0x09, 0x8d, 0xeb, 0x9c, 0x32, 0xb1, 0xfd, 0x86, 0x62, 0x05, 0x16, 0x5f, 0x49, 0xb8, 0x00},
    {0x5f, 0x9c, 0x95, 0xbc, 0xa3, 0x50, 0x8c, 0x24, 0xb1, 0xd0, 0xb1, 0x55, 0x9c, 0x83, 0xef, 0x5b,
     0x04, 0x44, 0x5c, 0xc4, 0x58, 0x1c, 0x8e, 0x86, 0xd8, 0x22, 0x4e, 0xdd, 0xd0, 0x9f, 0x11, 0x57},
};

// Below p = 2^255 - 19; RFC 7748 ignores the highest bit, so one key would have two texts.
bool is_canonical(const X25519Public& u) {
    if (u[31] > std::byte{0x7f}) return false;
    const bool high_ones = u[31] == std::byte{0x7f} &&
                           std::all_of(u.begin() + 1, u.end() - 1, [](std::byte b) { return b == std::byte{0xff}; });
    return !high_ones || u[0] < std::byte{0xed};
}

}  // namespace

Status x25519_check_public(const X25519Public& key) {
    if (!is_canonical(key)) return error(Code::kFormat, Detail::kFormat, "X25519 key is not canonically encoded");
    for (const auto& small : kSmallOrder) {
        if (std::ranges::equal(Bytes(key), std::as_bytes(std::span(small)))) {
            return error(Code::kFormat, Detail::kFormat, "X25519 key is of small order");
        }
    }
    return {};
}

Result<X25519Public> x25519_public(const SecretBytes& secret) {
    COFFER_TRY_ASSIGN(const ossl::Key key, private_key(secret));
    return public_half(key);
}

Result<X25519Identity> X25519Identity::from_secret(SecretBytes secret) {
    X25519Identity identity;
    COFFER_TRY_ASSIGN(identity.public_key, x25519_public(secret));
    identity.secret = std::move(secret);
    return identity;
}

Result<X25519Identity> X25519Identity::generate() {
    COFFER_TRY_ASSIGN(SecretBytes secret, random_secret(kX25519KeySize));
    return from_secret(std::move(secret));
}

Result<SecretBytes> x25519(const SecretBytes& secret, const X25519Public& peer) {
    COFFER_TRY_ASSIGN(const ossl::Key ours, private_key(secret));
    const ossl::Key theirs(
        EVP_PKEY_new_raw_public_key(EVP_PKEY_X25519, nullptr, ossl::uchar(Bytes(peer)), peer.size()));
    const ossl::KeyCtx context(EVP_PKEY_CTX_new_from_pkey(nullptr, ours.get(), nullptr));
    // The peer's key needs no validation of its own: every 32 bytes are a point, and the bad ones show below.
    if (!theirs || !context || EVP_PKEY_derive_init(context.get()) != 1 ||
        EVP_PKEY_derive_set_peer_ex(context.get(), theirs.get(), 0) != 1) {
        return ossl::failure("X25519");
    }
    COFFER_TRY_ASSIGN(SecretBytes shared, SecretBytes::create(kX25519KeySize));
    size_t size = shared.size();
    // libcrypto refuses to return zeros, which only a peer's small-order point can cause.
    if (EVP_PKEY_derive(context.get(), ossl::uchar(shared.mutable_bytes()), &size) != 1 || size != shared.size()) {
        return ossl::failure_or(error(Code::kAuth, "X25519: the peer's key is of small order"));
    }
    return shared;
}

}  // namespace coffer::crypto
