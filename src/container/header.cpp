#include "container/header.hpp"

#include <algorithm>

#include "coffer/base/checked.hpp"
#include "container/errors.hpp"

namespace coffer::container {

bool all_zero(Bytes bytes) {
    return std::ranges::all_of(bytes, [](std::byte b) { return b == std::byte{0}; });
}

HeaderBytes encode_header(const Header& h) {
    Writer w;
    w.put(std::as_bytes(std::span(kMagic)));
    w.u16(kMajor);
    w.u16(h.minor);
    w.u32(h.incompat);
    w.u32(h.compat);
    w.u16(h.suite);
    w.u8(h.chunk_log2);
    w.u8(0);
    for (uint64_t v : {h.body_len, h.manifest_len, h.table_off, h.table_len, h.payload_off, h.payload_len, h.n_chunks,
                       h.model_version, h.created, h.not_after}) {
        w.u64(v);
    }
    w.put(h.model_id);
    w.put(h.file_id);
    w.put(h.salt);
    w.put(h.key_commit);
    w.put(h.manifest_hash);
    w.put(h.table_root);
    HeaderBytes out{};
    std::ranges::copy(w.bytes(), out.begin());
    return out;
}

Result<Header> parse_header(Bytes bytes) {
    Reader r(bytes);
    Header h;
    if (!std::ranges::equal(r.take(kMagic.size()), std::as_bytes(std::span(kMagic)))) {
        return format_error("not a coffer file");
    }
    const uint16_t major = r.u16();
    h.minor = r.u16();
    h.incompat = r.u32();
    h.compat = r.u32();
    h.suite = r.u16();
    h.chunk_log2 = r.u8();
    const uint8_t zero = r.u8();
    for (uint64_t* v : {&h.body_len, &h.manifest_len, &h.table_off, &h.table_len, &h.payload_off, &h.payload_len,
                        &h.n_chunks, &h.model_version, &h.created, &h.not_after}) {
        *v = r.u64();
    }
    h.model_id = r.array<16>();
    h.file_id = r.array<16>();
    h.salt = r.array<32>();
    h.key_commit = r.array<32>();
    h.manifest_hash = r.array<32>();
    h.table_root = r.array<32>();
    if (bytes.size() != kHdrSize) return format_error("header of ", bytes.size(), " bytes");
    if (major != kMajor) return unsupported("container version ", major, "; this reader knows ", kMajor);
    if (h.incompat & ~kKnownIncompat) return unsupported("unknown feature bits ", h.incompat & ~kKnownIncompat);
    if (!crypto::suite_known(h.suite)) return unsupported("unknown cipher suite ", h.suite);
    if (h.chunk_log2 < kMinChunkLog2 || h.chunk_log2 > kMaxChunkLog2) {
        return format_error("chunk size of 2^", h.chunk_log2);
    }
    if (zero != 0 || !all_zero(bytes.subspan(r.position()))) return format_error("reserved header bytes are set");
    return h;
}

bool derive_regions(Header& h) {
    if (h.manifest_len == 0 || h.manifest_len % kRegionAlign != 0 || h.payload_len > kMaxPayload) return false;
    h.n_chunks = (h.payload_len + h.chunk_size() - 1) / h.chunk_size();
    h.table_len = h.n_chunks * kTableEntry;
    uint64_t table_end = 0;
    return checked_add<uint64_t>(kHeadSize, h.manifest_len, &h.table_off) &&
           checked_add(h.table_off, h.table_len, &table_end) &&
           checked_round_up(table_end, kRegionAlign, &h.payload_off) &&
           checked_add(h.payload_off, h.payload_len, &h.body_len);
}

Status check_regions(const Header& h, uint64_t file_size) {
    Header derived = h;
    if (!derive_regions(derived)) return format_error("region sizes of the header are impossible");
    if (derived.table_off != h.table_off || derived.table_len != h.table_len ||
        derived.payload_off != h.payload_off || derived.body_len != h.body_len || derived.n_chunks != h.n_chunks) {
        return format_error("region offsets of the header do not follow from its sizes");
    }
    const uint64_t slots = file_size > h.body_len ? file_size - h.body_len : 0;
    if (slots < kSlotsMin) {
        return format_error("cut: ", file_size, " bytes, where ", h.body_len,
                            " and the recipients after them belong");
    }
    if (slots > kSlotsMax) return format_error("recipients of ", slots, " bytes; at most ", kSlotsMax);
    return {};
}

}  // namespace coffer::container
