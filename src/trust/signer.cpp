#include "trust/signer.hpp"

#include "crypto/pem.hpp"
#include "crypto/random.hpp"
#include "trust/key_kind.hpp"

namespace coffer::trust {
namespace {

std::array<std::byte, 2> le16(uint16_t value) {
    return {static_cast<std::byte>(value), static_cast<std::byte>(value >> 8)};
}

}  // namespace

Result<KeyId> key_id(SignatureAlg alg, Bytes public_key) {
    return crypto::sha256({as_bytes("coffer/v1/keyid"), le16(static_cast<uint16_t>(alg)), public_key});
}

std::vector<std::byte> sign_message(std::string_view label, SignatureAlg alg, const KeyId& id,
                                    const crypto::Hash& digest) {
    Writer message;
    message.put(label);
    message.u8(0);
    message.u16(static_cast<uint16_t>(alg));
    message.put(id);
    message.put(digest);
    return message.take();
}

Result<Signer> Signer::from_public(const crypto::Ed25519Public& key) {
    COFFER_TRY(crypto::ed25519_check_public(key));
    Signer signer;
    signer.public_key = key;
    COFFER_TRY_ASSIGN(signer.id, key_id(signer.alg, key));
    return signer;
}

Result<Signer> Signer::from_pem(std::string_view pem) {
    COFFER_TRY(expect_key(as_bytes(pem), {KeyKind::kEd25519Public}));
    COFFER_TRY_ASSIGN(const crypto::Ed25519Public key, crypto::ed25519_public_from_pem(pem));
    return from_public(key);
}

bool Signer::in_time(uint64_t created) const {
    if (not_before == 0 && not_after == 0) return true;
    return created != 0 && created >= not_before && (not_after == 0 || created <= not_after);
}

Status Signer::verify(std::string_view label, const crypto::Hash& digest, Bytes signature) const {
    return crypto::ed25519_verify(public_key, sign_message(label, alg, id, digest), signature);
}

Result<SigningKey> SigningKey::generate() {
    COFFER_TRY_ASSIGN(crypto::SecretBytes seed, crypto::random_secret(crypto::kEd25519KeySize));
    return from_seed(std::move(seed));
}

Result<SigningKey> SigningKey::from_seed(crypto::SecretBytes seed) {
    COFFER_TRY_ASSIGN(const crypto::Ed25519Public key, crypto::ed25519_public(seed));
    COFFER_TRY_ASSIGN(const Signer signer, Signer::from_public(key));
    return SigningKey(std::move(seed), signer);
}

Result<crypto::Ed25519Signature> SigningKey::sign(std::string_view label, const crypto::Hash& digest) const {
    return crypto::ed25519_sign(seed_, sign_message(label, signer_.alg, signer_.id, digest));
}

Result<crypto::SecretBytes> SigningKey::to_pem(Bytes passphrase) const {
    return crypto::ed25519_private_to_pem(seed_, passphrase);
}

}  // namespace coffer::trust
