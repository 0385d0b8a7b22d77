// Lists of signature entries (docs/format.md 5.2 SIGS): the same layout after a header, recipients, a licence and a
// trust bundle. Parsing says nothing about whether an entry is genuine.
#pragma once

#include <span>
#include <vector>

#include "trust/signer.hpp"

namespace coffer::trust {

inline constexpr size_t kMaxSignatures = 8;
inline constexpr size_t kSignatureHead = 36;  // of an entry: alg, size, key_id

struct SignatureEntry {
    uint16_t alg = 0;
    KeyId key_id{};
    Bytes signature;  // into the bytes that were parsed
};

// Entries of `bytes`. With `padded` (SIGS) the list ends at alg = 0 and the rest must be zero; without, entries
// fill the bytes.
Result<std::vector<SignatureEntry>> parse_signatures(Bytes bytes, bool padded);
std::vector<std::byte> encode_signature(const Signer& signer, Bytes signature);

// Those of `trusted` that signed `digest` under `label`. Entries of other keys and algorithms are passed over; a
// wrong signature of a trusted key is Code::kAuth.
Result<std::vector<const Signer*>> verify_signatures(std::span<const SignatureEntry> entries,
                                                     std::span<const Signer> trusted, std::string_view label,
                                                     const crypto::Hash& digest);

}  // namespace coffer::trust
