// Signers: public keys that a policy trusts, their ids, and the message that is signed (format.md 5.6, 9.6).
#pragma once

#include "crypto/ed25519.hpp"
#include "crypto/hash.hpp"

namespace coffer::trust {

enum class SignatureAlg : uint16_t { kEd25519 = 1, kMlDsa65 = 2 };  // kMlDsa65 is reserved

// Exact length of a signature entry's body, 0 for an algorithm that is not known here.
constexpr size_t signature_size(uint16_t alg) {
    return alg == static_cast<uint16_t>(SignatureAlg::kEd25519) ? crypto::kEd25519SignatureSize : 0;
}

using KeyId = crypto::Hash;
// SHA-256("coffer/v1/keyid" || LE2(alg) || public key).
Result<KeyId> key_id(SignatureAlg alg, Bytes public_key);

// What a trust bundle says of a key; a key trusted directly is active, without limits of time.
enum class KeyState : uint8_t { kActive = 0, kVerifyOnly = 1, kRevoked = 2 };

struct Signer {
    SignatureAlg alg = SignatureAlg::kEd25519;
    crypto::Ed25519Public public_key{};
    KeyId id{};
    KeyState state = KeyState::kActive;
    uint64_t not_before = 0, not_after = 0;  // of what it signed; 0: no limit

    static Result<Signer> from_public(const crypto::Ed25519Public& key);  // refuses keys no one may trust
    static Result<Signer> from_pem(std::string_view pem);

    // Whether this time is within the key's limits; 0, "not known", only when it has none.
    bool in_time(uint64_t created) const;
    // Whether a signature over something created at this time counts.
    bool counts(uint64_t created) const { return state != KeyState::kRevoked && in_time(created); }

    // Verifies `signature` over sign_message(label, alg, id, digest).
    Status verify(std::string_view label, const crypto::Hash& digest, Bytes signature) const;
};

// What a signature covers; each kind of signed thing has a label of its own.
inline constexpr std::string_view kHeaderLabel = "coffer/v1/sig";
inline constexpr std::string_view kSlotsLabel = "coffer/v1/slots-sig";
inline constexpr std::string_view kLicenceLabel = "coffer/v1/licence-sig";
inline constexpr std::string_view kBundleLabel = "coffer/v1/bundle-sig";

// label || 00 || LE2(alg) || key_id || digest.
std::vector<std::byte> sign_message(std::string_view label, SignatureAlg alg, const KeyId& id,
                                    const crypto::Hash& digest);

// A private signing key. Signs only digests, under a label.
class SigningKey {
 public:
    static Result<SigningKey> generate();
    static Result<SigningKey> from_seed(crypto::SecretBytes seed);

    const Signer& signer() const { return signer_; }
    Result<crypto::Ed25519Signature> sign(std::string_view label, const crypto::Hash& digest) const;
    // PKCS#8 PEM; an empty passphrase leaves it unencrypted.
    Result<crypto::SecretBytes> to_pem(Bytes passphrase) const;

 private:
    SigningKey(crypto::SecretBytes seed, const Signer& signer) : seed_(std::move(seed)), signer_(signer) {}
    crypto::SecretBytes seed_;
    Signer signer_;
};

}  // namespace coffer::trust
