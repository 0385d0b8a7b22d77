// X25519 key agreement (RFC 7748).
#pragma once

#include <array>

#include "crypto/secret.hpp"

namespace coffer::crypto {

inline constexpr size_t kX25519KeySize = 32;
using X25519Public = std::array<std::byte, kX25519KeySize>;

// A private key with its public half: what unwraps a slot.
struct X25519Identity {
    SecretBytes secret;
    X25519Public public_key{};

    static Result<X25519Identity> generate();
    static Result<X25519Identity> from_secret(SecretBytes secret);
};

// A key that others may encrypt to: canonically encoded and not of small order. With a small-order key the shared
// secret is zero whatever the other side does.
Status x25519_check_public(const X25519Public& key);

Result<X25519Public> x25519_public(const SecretBytes& secret);
// Fails for a peer that forces the all-zero result.
Result<SecretBytes> x25519(const SecretBytes& secret, const X25519Public& peer);

}  // namespace coffer::crypto
