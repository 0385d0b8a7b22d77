// HDR and SIGS: the fixed first 4,096 bytes (docs/format.md 5.2), encode and parse of each in one file.
// Nothing here is authentic by itself.
#pragma once

#include <vector>

#include "coffer/base/error.hpp"
#include "container/format.hpp"
#include "crypto/aead.hpp"
#include "trust/signature.hpp"

namespace coffer::container {

struct Header {
    uint16_t minor = kMinor;
    uint32_t incompat = 0;
    uint32_t compat = 0;
    uint16_t suite = 0;
    uint8_t chunk_log2 = kDefaultChunkLog2;
    uint64_t body_len = 0;
    uint64_t manifest_len = 0;
    uint64_t table_off = 0;
    uint64_t table_len = 0;
    uint64_t payload_off = 0;
    uint64_t payload_len = 0;
    uint64_t n_chunks = 0;
    uint64_t model_version = 0;
    uint64_t created = 0;
    uint64_t not_after = 0;
    Id model_id{};
    Id file_id{};
    Digest salt{};
    Digest key_commit{};
    Digest manifest_hash{};
    Digest table_root{};

    crypto::Suite aead() const { return static_cast<crypto::Suite>(suite); }
    uint64_t chunk_size() const { return uint64_t{1} << chunk_log2; }
    // Bytes of chunk `i` < n_chunks: full, but for the last one.
    uint64_t chunk_bytes(uint64_t i) const {
        return i + 1 < n_chunks ? chunk_size() : payload_len - (n_chunks - 1) * chunk_size();
    }
    bool has(Incompat bit) const { return (incompat & bit) != 0; }
};

using HeaderBytes = std::array<std::byte, kHdrSize>;
HeaderBytes encode_header(const Header& header);

// Step 3: fixed fields. `bytes` is HDR.
Result<Header> parse_header(Bytes bytes);
// Everything that follows from manifest_len, payload_len and chunk_log2. False on overflow or an empty manifest.
[[nodiscard]] bool derive_regions(Header& header);
// Step 4: region arithmetic against the size of the file.
Status check_regions(const Header& header, uint64_t file_size);

// SIGS, and the tail of SLOTS.
using trust::encode_signature;
using trust::kMaxSignatures;
using trust::kSignatureHead;
using trust::parse_signatures;
using trust::SignatureEntry;

bool all_zero(Bytes bytes);

}  // namespace coffer::container
