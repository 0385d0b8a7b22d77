// The key schedule (docs/format.md 5.3): one file key in, every other key out.
#pragma once

#include "container/header.hpp"
#include "crypto/hash.hpp"
#include "crypto/secret.hpp"

namespace coffer::container {

// Key and nonce, or key and base nonce, side by side.
class KeyAndNonce {
 public:
    static constexpr size_t kSize = crypto::kAeadKeySize + crypto::kAeadNonceSize;
    KeyAndNonce() = default;
    explicit KeyAndNonce(crypto::SecretBytes bytes) : bytes_(std::move(bytes)) {}
    Bytes key() const;  // empty after a fork
    crypto::Nonce nonce() const;

 private:
    crypto::SecretBytes bytes_;
};

class Schedule {
 public:
    // Uses suite, file_id and salt of `header`.
    static Result<Schedule> create(const Header& header, Bytes dek);

    Result<crypto::SecretBytes> expand(std::string_view label, size_t size) const;
    Result<Digest> key_commit() const;
    Result<crypto::SecretBytes> slots_mac_key() const { return expand("slots", kMacSize); }
    Result<KeyAndNonce> manifest() const { return key_and_nonce("manifest"); }
    Result<KeyAndNonce> payload() const { return key_and_nonce("payload"); }

 private:
    Result<KeyAndNonce> key_and_nonce(std::string_view label) const;

    crypto::SecretBytes prk_;
    std::array<std::byte, 2> suite_{};
    Id file_id_{};
};

// 5.3; the two hashes are of the plaintexts. Only writers call this.
Result<Digest> make_salt(const Header& header, Bytes random32, const Digest& manifest, const Digest& payload);

std::array<std::byte, 2> le2(uint16_t value);
std::array<std::byte, 8> le8(uint64_t value);

// Associated data of 5.4.
std::vector<std::byte> manifest_aad(const Header& header);
class ChunkAad {
 public:
    explicit ChunkAad(const Header& header);
    Bytes at(uint64_t chunk);  // valid until the next call

 private:
    std::vector<std::byte> bytes_;
    uint64_t n_chunks_;
};

// SHA-256("coffer/v1/table" || LE8(n_chunks) || TABLE).
Result<Digest> table_root(uint64_t n_chunks, Bytes table);

}  // namespace coffer::container
