// Authenticated encryption by suite (format.md 5.3): 256-bit keys, 96-bit nonces, 128-bit tags.
// A Sealer or Opener holds one expanded key and is reused for many messages; it belongs to one thread at a
// time. The expanded key lies in libcrypto's own heap memory (wiped when freed): keep one no longer than the
// work lasts.
#pragma once

#include <array>
#include <memory>
#include <span>

#include "coffer/base/bytes.hpp"
#include "coffer/base/error.hpp"

namespace coffer::crypto {

enum class Suite : uint16_t { kAes256Gcm = 1, kChaCha20Poly1305 = 2 };
constexpr bool suite_known(uint16_t number) {
    return number == 1 || number == 2;
}
const char* suite_name(Suite suite);
inline std::string to_text(Suite suite) {
    return suite_name(suite);
}

inline constexpr size_t kAeadKeySize = 32;
inline constexpr size_t kAeadNonceSize = 12;
inline constexpr size_t kAeadTagSize = 16;
using Nonce = std::array<std::byte, kAeadNonceSize>;
using Tag = std::array<std::byte, kAeadTagSize>;

// base XOR BE96(index): the nonce of message `index` (format.md 5.4; RFC 9180 5.2).
Nonce nonce_at(const Nonce& base, uint64_t index);

namespace detail {
struct FreeCipher {
    void operator()(void* context) const;
};
}  // namespace detail

class Sealer {
 public:
    static Result<Sealer> create(Suite suite, Bytes key);
    // dst.size() == plaintext.size(); dst may be plaintext itself, or must not overlap it.
    Status seal(const Nonce& nonce, Bytes aad, Bytes plaintext, MutableBytes dst,
                std::span<std::byte, kAeadTagSize> tag);

 private:
    explicit Sealer(void* context) : context_(context) {}
    std::unique_ptr<void, detail::FreeCipher> context_;
};

class Opener {
 public:
    static Result<Opener> create(Suite suite, Bytes key);
    // dst.size() == ciphertext.size(); dst may be ciphertext itself, or must not overlap it. When the tag does
    // not match, dst has been wiped and the error is Code::kAuth; the caller adds its own Detail and sentence.
    Status open(const Nonce& nonce, Bytes aad, Bytes ciphertext, std::span<const std::byte, kAeadTagSize> tag,
                MutableBytes dst);

 private:
    explicit Opener(void* context) : context_(context) {}
    std::unique_ptr<void, detail::FreeCipher> context_;
};

// One message under a fresh key, ciphertext || tag in one run of bytes.
Status seal_once(Suite suite, Bytes key, const Nonce& nonce, Bytes aad, Bytes plaintext, MutableBytes dst);
Status open_once(Suite suite, Bytes key, const Nonce& nonce, Bytes aad, Bytes sealed, MutableBytes dst);

}  // namespace coffer::crypto
