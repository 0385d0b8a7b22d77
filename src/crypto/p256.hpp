// ECDH on the curve P-256 (SP 800-56A, RFC 9180 7.1), the curve of tokens and operating system keystores. Public
// keys are uncompressed points of SEC 1: 04 || x || y. Private keys are 32 bytes, big-endian.
#pragma once

#include <array>

#include "crypto/secret.hpp"

namespace coffer::crypto {

inline constexpr size_t kP256KeySize = 32;
inline constexpr size_t kP256PublicSize = 65;
using P256Public = std::array<std::byte, kP256PublicSize>;

// A private key with its public half.
struct P256Identity {
    SecretBytes secret;
    P256Public public_key{};

    static Result<P256Identity> generate();
    static Result<P256Identity> from_secret(SecretBytes secret);  // refuses 0 and what is not below the order
};

// A point of the curve, not infinity, in this one encoding. Belongs before every use of a key that came from
// outside: with a point of another curve the answers of a private key give it away.
Status p256_check_public(Bytes key);
Result<P256Public> p256_public_from(Bytes key);  // the same, as an array

// The x coordinate of the shared point. `peer` is checked.
Result<SecretBytes> p256(const SecretBytes& secret, const P256Public& peer);

}  // namespace coffer::crypto
