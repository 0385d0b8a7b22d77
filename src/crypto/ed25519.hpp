// Ed25519 signatures (RFC 8032, pure). Private keys are the 32-byte seed.
#pragma once

#include <array>

#include "crypto/secret.hpp"

namespace coffer::crypto {

inline constexpr size_t kEd25519KeySize = 32;
inline constexpr size_t kEd25519SignatureSize = 64;
using Ed25519Public = std::array<std::byte, kEd25519KeySize>;
using Ed25519Signature = std::array<std::byte, kEd25519SignatureSize>;

Result<Ed25519Public> ed25519_public(const SecretBytes& seed);
Result<Ed25519Signature> ed25519_sign(const SecretBytes& seed, Bytes message);
// Code::kAuth when the signature is not by `key` over `message`.
Status ed25519_verify(const Ed25519Public& key, Bytes message, Bytes signature);

// A key that may be trusted: canonically encoded and not of small order. For a small-order key one signature
// can be valid for every message (format.md 5.6), so this belongs on every import of a public key.
Status ed25519_check_public(const Ed25519Public& key);

}  // namespace coffer::crypto
