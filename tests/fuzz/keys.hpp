// The keys that the seeds are sealed to: fixed, so that findings and corpora stay valid.
#pragma once

#include "crypto/x25519.hpp"
#include "trust/keyring.hpp"
#include "trust/signer.hpp"

namespace coffer::fuzz {

inline crypto::SecretBytes fixed_key(uint8_t seed) {
    crypto::SecretBytes key = crypto::SecretBytes::create(32).value();
    for (size_t i = 0; i < 32; ++i) key.mutable_bytes()[i] = static_cast<std::byte>(seed + i * 7);
    return key;
}

inline crypto::X25519Identity identity() {
    return crypto::X25519Identity::from_secret(fixed_key(1)).value();
}
inline crypto::SecretBytes raw_key() {
    return fixed_key(2);
}
inline trust::SigningKey signing_key() {
    return trust::SigningKey::from_seed(fixed_key(3)).value();
}
inline trust::SigningKey other_signing_key() {
    return trust::SigningKey::from_seed(fixed_key(4)).value();
}

inline trust::Keyring keyring() {
    trust::Keyring ring;
    (void)ring.add_identity(identity());
    (void)ring.add_raw_key(raw_key());
    return ring;
}

}  // namespace coffer::fuzz
