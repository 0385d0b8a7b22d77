// String tensors: offsets and text (docs/format.md 5.10).
#include "codec/codec.hpp"
#include "coffer/base/utf8.hpp"

namespace coffer::codec {
namespace {

void store_le8(std::byte* dst, uint64_t value) {
    for (int i = 0; i < 8; ++i) dst[i] = static_cast<std::byte>(value >> (8 * i));
}

Error damaged(size_t i, const char* what) {
    return error(Code::kFormat, Detail::kManifestInvalid, "string ", i, " of a string tensor: ", what);
}

}  // namespace

uint64_t encoded_strings_size(std::span<const PrivateString> strings) {
    uint64_t size = 8 * (strings.size() + 1);
    for (const PrivateString& s : strings) size += s.size();
    return size;
}

void encode_strings(std::span<const PrivateString> strings, MutableBytes dst) {
    std::byte* offsets = dst.data();
    std::byte* const text = dst.data() + 8 * (strings.size() + 1);
    uint64_t end = 0;
    store_le8(offsets, 0);
    for (const PrivateString& s : strings) {
        if (!s.empty()) std::memcpy(text + end, s.data(), s.size());
        end += s.size();
        store_le8(offsets += 8, end);
    }
}

Status decode_strings(Bytes src, std::span<PrivateString> dst) {
    // n + 1 offsets must be there before n is trusted in a product.
    if (dst.size() >= src.size() / 8) return damaged(dst.size(), "the offsets are cut");
    const std::string_view text = as_text(src.subspan(8 * (dst.size() + 1)));
    Reader offsets(src.first(8 * (dst.size() + 1)));
    uint64_t begin = offsets.u64();
    if (begin != 0) return damaged(0, "does not start at 0");
    for (size_t i = 0; i < dst.size(); ++i) {
        const uint64_t end = offsets.u64();
        if (end < begin || end > text.size()) return damaged(i, "is out of range");
        const std::string_view s = text.substr(begin, end - begin);
        if (!is_utf8(s)) return damaged(i, "is not UTF-8");
        dst[i].assign(s);
        begin = end;
    }
    if (begin != text.size()) return damaged(dst.size(), "text is left over");
    return {};
}

}  // namespace coffer::codec
