// SHA-256, HMAC-SHA256, HKDF-SHA256 and the leaf hash of payload chunks (format.md 5.3, 5.4).
// Everything can fail only for lack of memory, which is reported and never turned into a hash of zeros.
#pragma once

#include <array>
#include <initializer_list>
#include <memory>

#include "crypto/secret.hpp"

namespace coffer::crypto {

inline constexpr size_t kHashSize = 32;
using Hash = std::array<std::byte, kHashSize>;
using Parts = std::initializer_list<Bytes>;  // hashed one after the other, as if joined

class Sha256 {
 public:
    static Result<Sha256> create();
    Status update(Bytes bytes);
    Result<Hash> finish();  // and starts again

 private:
    struct Free {
        void operator()(void* context) const;
    };
    explicit Sha256(void* context) : context_(context) {}
    std::unique_ptr<void, Free> context_;
};

Result<Hash> sha256(Parts parts);
inline Result<Hash> sha256(Bytes bytes) {
    return sha256({bytes});
}

Result<Hash> hmac_sha256(Bytes key, Parts parts);
inline Result<Hash> hmac_sha256(Bytes key, Bytes message) {
    return hmac_sha256(key, {message});
}

// RFC 5869. The pseudo-random key is a secret like the key it comes from.
Result<SecretBytes> hkdf_extract(Bytes salt, Parts key_material);
Result<SecretBytes> hkdf_expand(Bytes prk, Parts info, size_t size);  // size <= 255 * 32

// SHA-256("coffer/v1/leaf" || LE8(index) || ciphertext).
Result<Hash> leaf_hash(uint64_t index, Bytes ciphertext);
// The leaves of two consecutive chunks of equal length, index and index + 1. Both are hashed at once where
// the CPU has the instructions for it, in less time than one after the other.
Result<std::array<Hash, 2>> leaf_hash_pair(uint64_t index, Bytes first, Bytes second);

}  // namespace coffer::crypto
