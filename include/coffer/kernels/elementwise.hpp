// Element-wise loops over contiguous float32 data. Only arch.cpp includes this file.
#pragma once

#include "coffer/kernels/simd.hpp"

namespace coffer::kernels {

// Elements a unit covers, so that splitting over threads never changes what one SIMD lane computes.
inline constexpr size_t kMapBlock = 4096;

struct MapParams {
    size_t count;
};

// dst[i] = Op::simd(src[i]); operands: src, dst. The tail runs through a padded batch.
template <class Arch, class Op>
bool map_f32(const void* params, void* const* operands, size_t begin, size_t end) {
    using B = Batch<Arch, float>;
    const auto* p = static_cast<const MapParams*>(params);
    const auto* src = static_cast<const float*>(operands[0]);
    auto* dst = static_cast<float*>(operands[1]);
    size_t i = begin * kMapBlock;
    const size_t last = end * kMapBlock < p->count ? end * kMapBlock : p->count;
    for (; i + B::size <= last; i += B::size) Op::simd(B::load_unaligned(src + i)).store_unaligned(dst + i);
    if (i < last) {
        alignas(64) float padded[B::size] = {};
        for (size_t k = 0; k < last - i; ++k) padded[k] = src[i + k];
        Op::simd(B::load_aligned(padded)).store_aligned(padded);
        for (size_t k = 0; k < last - i; ++k) dst[i + k] = padded[k];
    }
    return true;
}

}  // namespace coffer::kernels
