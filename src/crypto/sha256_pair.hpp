// SHA-256 of two messages of equal length at once, with the SHA instructions of x86. One message leaves half
// of the unit idle, because each round waits for the one before; libcrypto hashes only one.
#pragma once

#include "crypto/hash.hpp"

namespace coffer::crypto {

bool sha256_pair_supported();

// out[i] = SHA-256(heads[i] || bodies[i]). Only where supported; heads of equal length below 64 bytes, bodies
// of equal length.
void sha256_pair(const std::array<Bytes, 2>& heads, const std::array<Bytes, 2>& bodies, std::array<Hash, 2>& out);

}  // namespace coffer::crypto
