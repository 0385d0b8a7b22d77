// scrypt (RFC 7914): a key from a password. Needs 128 * r * 2^log_n bytes of memory for a moment.
#pragma once

#include "crypto/secret.hpp"

namespace coffer::crypto {

inline constexpr unsigned kScryptMaxLogN = 20;

Result<SecretBytes> scrypt(Bytes password, Bytes salt, unsigned log_n, uint32_t r = 8, uint32_t p = 1,
                           size_t size = 32);

}  // namespace coffer::crypto
