#include "crypto/x25519.hpp"

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

}  // namespace

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
