// Copying elements of any type without knowing what they mean: whole bytes, packed 4- and 2-bit types, strings.
#pragma once

#include <cstring>

#include "coffer/base/tensor.hpp"

namespace coffer::ops {

// dst[d + k*dst_step] = src[s + k*src_step] for k < n; both of one dtype. A src_step of 0 fills.
inline void copy_elements(const TensorView& dst, int64_t d, int64_t dst_step, const TensorView& src, int64_t s,
                          int64_t src_step, int64_t n) {
    const int bits = dtype_bits(dst.dtype);
    if (dst.dtype == DType::kString) {
        for (; n > 0; --n, d += dst_step, s += src_step) dst.as<PrivateString>()[d] = src.as<PrivateString>()[s];
        return;
    }
    if (bits < 8) {
        const int per_byte = 8 / bits;
        const auto mask = static_cast<unsigned>((1 << bits) - 1);
        for (; n > 0; --n, d += dst_step, s += src_step) {
            const unsigned value = src.as<uint8_t>()[s / per_byte] >> (s % per_byte * bits) & mask;
            const auto shift = static_cast<unsigned>(d % per_byte * bits);
            uint8_t& byte = dst.as<uint8_t>()[d / per_byte];
            byte = static_cast<uint8_t>((byte & ~(mask << shift)) | value << shift);
        }
        return;
    }
    const int64_t size = bits / 8;
    auto* to = dst.as<std::byte>() + d * size;
    const auto* from = src.as<const std::byte>() + s * size;
    if (dst_step == 1 && src_step == 1) {
        if (n > 0) std::memmove(to, from, static_cast<size_t>(n * size));
        return;
    }
    for (; n > 0; --n, to += dst_step * size, from += src_step * size)
        std::memcpy(to, from, static_cast<size_t>(size));
}

// Places along one axis of a tensor: place `at` of `dim`.
struct Slab {
    const TensorView& view;
    int64_t dim, at;
};
// Copies `n` places, with `outer` elements before the axis and `inner` behind it. Without elements in them, `outer`
// may be of any size.
inline void copy_slab(const Slab& dst, const Slab& src, int64_t outer, int64_t n, int64_t inner) {
    if (n == 0 || inner == 0) return;
    for (int64_t o = 0; o < outer; ++o) {
        copy_elements(dst.view, (o * dst.dim + dst.at) * inner, 1, src.view, (o * src.dim + src.at) * inner, 1,
                      n * inner);
    }
}

// One zero (or the empty string) to copy from.
inline TensorView zero_element(DType dtype) {
    static const PrivateString empty;
    alignas(16) static constexpr uint8_t zeros[16] = {};
    const void* data = dtype == DType::kString ? static_cast<const void*>(&empty) : zeros;
    return {const_cast<void*>(data), dtype, Shape{}};
}

inline void fill_elements(const TensorView& dst, int64_t begin, int64_t n, const TensorView& value) {
    copy_elements(dst, begin, 1, value, 0, 0, n);
}

}  // namespace coffer::ops
