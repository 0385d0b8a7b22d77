// Random bytes from libcrypto's generator, which the system seeds.
#pragma once

#include <array>

#include "crypto/secret.hpp"

namespace coffer::crypto {

Status random(MutableBytes dst);  // public values: salts, identifiers
template <size_t N>
Result<std::array<std::byte, N>> random_array() {
    std::array<std::byte, N> out;
    COFFER_TRY(random(out));
    return out;
}

Result<SecretBytes> random_secret(size_t size);  // keys; a generator of their own

}  // namespace coffer::crypto
