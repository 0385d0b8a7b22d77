// HDR and SIGS: what is parsed before anything is authentic. Input: the first bytes of a file.
#include <algorithm>

#include "coffer/base/checked.hpp"
#include "container/header.hpp"
#include "fuzz.hpp"

using namespace coffer;
using namespace coffer::container;

COFFER_FUZZ_TARGET(header) {
    const auto header = parse_header(data.first(std::min<size_t>(data.size(), kHdrSize)));
    if (header.ok()) {
        fuzz::expect(std::ranges::equal(encode_header(*header), data.first(kHdrSize)), "a header has one encoding");
        for (const uint64_t slots : {uint64_t{0}, uint64_t{kSlotsMin}, uint64_t{4096}, kSlotsMax, kSlotsMax + 1}) {
            uint64_t size = 0;
            if (!checked_add(header->body_len, slots, &size) || !check_regions(*header, size).ok()) continue;
            fuzz::expect(slots >= kSlotsMin && slots <= kSlotsMax, "SLOTS is within its bounds");
            fuzz::expect(header->payload_off >= header->table_off + header->n_chunks * kTableEntry,
                         "regions do not overlap");
            fuzz::expect(header->n_chunks == 0 || header->chunk_bytes(header->n_chunks - 1) > 0,
                         "the last chunk is not empty");
        }
    }
    const Bytes sigs = data.subspan(std::min<size_t>(data.size(), kSigsOffset));
    for (const bool padded : {true, false}) {
        const auto entries = parse_signatures(sigs, padded);
        if (!entries.ok()) continue;
        fuzz::expect(entries->size() <= kMaxSignatures, "at most 8 signatures");
        for (const SignatureEntry& entry : *entries) {
            fuzz::expect(entry.signature.data() >= sigs.data() &&
                             entry.signature.data() + entry.signature.size() <= sigs.data() + sigs.size(),
                         "a signature lies in its region");
        }
    }
}
