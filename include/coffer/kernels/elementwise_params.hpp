// What a planner needs to know about the kernels of elementwise.hpp: their parameters and unit sizes.
#pragma once

#include "coffer/kernels/arch.hpp"

namespace coffer::kernels {

// Elements a unit covers, so that splitting over threads never changes what one SIMD lane computes.
inline constexpr size_t kMapBlock = 4096;
constexpr size_t map_units(size_t count) {
    return (count + kMapBlock - 1) / kMapBlock;
}

// `op` is what Op::simd() wants beside its argument (LeakyRelu's alpha).
template <class P>
struct MapParams {
    size_t count;
    P op;
};

// dst[i] = Op::simd(src[i]) or Op::simd(src[i], op). Operands: src, dst (may be the same memory).
template <class Arch, class Op>
bool map_f32(const void* params, void* const* operands, size_t begin, size_t end);

// dst[i] = min(high, max(low, src[i])); NaN stays. Operands: src, dst, low, high, the last two being one
// element each or a null pointer.
template <class Arch>
bool clip_f32(const void* params, void* const* operands, size_t begin, size_t end);

// dst[i] = To(src[i]) as store_double(load_double()) does it. Operands: src, dst.
template <class Arch, class From, class To>
bool convert(const void* params, void* const* operands, size_t begin, size_t end);

// dst[i] = Op::logic(src[i]) from T to bytes 0 and 1. Operands: src, dst.
template <class Arch, class Op, class T>
bool map_to_bool(const void* params, void* const* operands, size_t begin, size_t end);

struct NoParams {};

}  // namespace coffer::kernels
