#include "codec/codec.hpp"

#include <algorithm>
#include <array>

namespace coffer::codec {
namespace {

bool plain_size(DType dtype, DType stored, const Shape& shape, uint64_t* out) {
    size_t size = 0;
    if (dtype == DType::kString || stored != DType::kUndefined || !checked_nbytes(shape, dtype, &size)) return false;
    *out = size;
    return true;
}

constexpr std::array kEncodings = {
    EncodingRow{Encoding::kPlain, "plain", plain_size},
    EncodingRow{Encoding::kNarrow, "narrow", narrow_size},
};
constexpr std::array kCoders = {
    CoderRow{Coder::kRaw, "raw", nullptr},
};

template <class Rows>
auto find_row(const Rows& rows, uint8_t id) -> decltype(rows.data()) {
    const auto it = std::ranges::find_if(rows, [id](const auto& row) { return static_cast<uint8_t>(row.id) == id; });
    return it == rows.end() ? nullptr : &*it;
}

}  // namespace

const EncodingRow* find_encoding(uint8_t id) {
    return find_row(kEncodings, id);
}
const CoderRow* find_coder(uint8_t id) {
    return find_row(kCoders, id);
}

}  // namespace coffer::codec
