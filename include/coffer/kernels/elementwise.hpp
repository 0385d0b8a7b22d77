// Element-wise loops over contiguous data. Only arch.cpp includes this file.
#pragma once

#include "coffer/base/dtype.hpp"
#include "coffer/kernels/elementwise_params.hpp"
#include "coffer/kernels/simd.hpp"

namespace coffer::kernels {

// First and past-the-last element of units [begin, end).
struct MapRange {
    size_t first, last;
    MapRange(size_t count, size_t begin, size_t end)
        : first(begin * kMapBlock), last(end * kMapBlock < count ? end * kMapBlock : count) {}
};

// dst = f(src) on whole batches. Out of line, because the main loop and the padded tail both run it.
template <class Arch, class F>
[[gnu::noinline]] void map_batches(const float* src, float* dst, size_t batches, const F& f) {
    using B = Batch<Arch, float>;
    for (size_t i = 0; i < batches; ++i) f(B::load_unaligned(src + i * B::size)).store_unaligned(dst + i * B::size);
}

template <class Arch, class F>
void map_range(const float* src, float* dst, size_t n, const F& f) {
    constexpr size_t kSize = Batch<Arch, float>::size;
    const size_t whole = n / kSize * kSize;
    map_batches<Arch>(src, dst, n / kSize, f);
    if (whole == n) return;
    alignas(64) float padded[kSize] = {};
    for (size_t k = whole; k < n; ++k) padded[k - whole] = src[k];
    map_batches<Arch>(padded, padded, 1, f);
    for (size_t k = whole; k < n; ++k) dst[k] = padded[k - whole];
}

template <class Arch, class Op>
struct MapOp {
    typename Op::Params params;
    template <class V>
    V operator()(V x) const {
        if constexpr (requires { Op::simd(x, params); }) {
            return Op::simd(x, params);
        } else {
            return Op::simd(x);
        }
    }
};

template <class Arch, class Op>
bool map_f32(const void* params, void* const* operands, size_t begin, size_t end) {
    const auto* p = static_cast<const MapParams<typename Op::Params>*>(params);
    const MapRange r(p->count, begin, end);
    map_range<Arch>(static_cast<const float*>(operands[0]) + r.first, static_cast<float*>(operands[1]) + r.first,
                    r.last - r.first, MapOp<Arch, Op>{p->op});
    return true;
}

template <class Arch>
struct ClipOp {
    float low, high;
    template <class V>
    V operator()(V x) const {
        const V clipped = min(max(x, V(low)), V(high));
        return select(x == x, clipped, x);
    }
};

template <class Arch>
bool clip_f32(const void* params, void* const* operands, size_t begin, size_t end) {
    const MapRange r(static_cast<const MapParams<NoParams>*>(params)->count, begin, end);
    const auto* low = static_cast<const float*>(operands[2]);
    const auto* high = static_cast<const float*>(operands[3]);
    map_range<Arch>(static_cast<const float*>(operands[0]) + r.first, static_cast<float*>(operands[1]) + r.first,
                    r.last - r.first, ClipOp<Arch>{low ? *low : -__builtin_inff(), high ? *high : __builtin_inff()});
    return true;
}

// Out-of-range floats go through int64 with saturation and NaN becomes 0: see truncate() in base/tensor.cpp.
template <class Arch>
int64_t float_to_int(float x) {
    if (x != x) return 0;
    if (x >= 0x1p63f) return INT64_MAX;
    if (x < -0x1p63f) return INT64_MIN;
    return static_cast<int64_t>(x);
}

// Bytes other than 0 and 1 are true too, so a bool is read as the byte it is.
template <class T>
struct StoredAs {
    using type = T;
};
template <>
struct StoredAs<bool> {
    using type = uint8_t;
};
template <class T>
using Stored = typename StoredAs<T>::type;

template <class Arch>
float half_to_float(Float16 h) {
    // The exponents differ by 112 in bias: a multiplication, which also normalizes subnormal numbers.
    const uint32_t magnitude = h.bits & 0x7fffu;
    const float scaled = __builtin_bit_cast(float, magnitude << 13) * 0x1p112f;
    const uint32_t finite = __builtin_bit_cast(uint32_t, scaled);
    const uint32_t bits = magnitude >= 0x7c00u ? 0x7f800000u | magnitude << 13 : finite;
    return __builtin_bit_cast(float, bits | uint32_t(h.bits & 0x8000u) << 16);
}
template <class Arch>
Float16 float_to_half(float x) {
#ifdef __F16C__
    return {_cvtss_sh(x, _MM_FROUND_TO_NEAREST_INT)};
#else
    return to_float16(x);
#endif
}

template <class Arch, class From, class To>
Stored<To> convert_one(Stored<From> x) {
    constexpr DType from = dtype_of<From>, to = dtype_of<To>;
    if constexpr (from == DType::kFloat16) {
        return half_to_float<Arch>(x);
    } else if constexpr (to == DType::kFloat16) {
        return float_to_half<Arch>(x);
    } else if constexpr (to == DType::kBool) {
        return x != 0;
    } else if constexpr (from == DType::kBool) {
        return static_cast<To>(x != 0);
    } else if constexpr (from == DType::kFloat) {
        if constexpr (sizeof(To) < 8) {  // the common case stays free of the 64-bit limits
            if (x > -2147483648.0f && x < 2147483648.0f) return static_cast<To>(static_cast<int32_t>(x));
        }
        return static_cast<To>(float_to_int<Arch>(x));
    } else {
        return static_cast<To>(x);
    }
}

// Plain loops that the compiler vectorizes run over chunks of this fixed length, which keeps them small; the last
// elements pass through a padded copy.
inline constexpr size_t kChunk = 64;

template <class Arch, class F, class From, class To>
[[gnu::noinline]] void map_chunk(const From* __restrict src, To* __restrict dst) {
    for (size_t i = 0; i < kChunk; ++i) dst[i] = F::one(src[i]);
}

template <class Arch, class F, class From, class To>
void map_chunks(const void* params, void* const* operands, size_t begin, size_t end) {
    const MapRange r(static_cast<const MapParams<NoParams>*>(params)->count, begin, end);
    const auto* src = static_cast<const From*>(operands[0]);
    auto* dst = static_cast<To*>(operands[1]);
    size_t i = r.first;
    for (; i + kChunk <= r.last; i += kChunk) map_chunk<Arch, F>(src + i, dst + i);
    if (i == r.last) return;
    From padded[kChunk] = {};
    To result[kChunk];
    __builtin_memcpy(padded, src + i, (r.last - i) * sizeof(From));
    map_chunk<Arch, F>(padded, result);
    __builtin_memcpy(dst + i, result, (r.last - i) * sizeof(To));
}

template <class Arch, class From, class To>
struct ConvertOne {
    static Stored<To> one(Stored<From> x) { return convert_one<Arch, From, To>(x); }
};
template <class Arch, class From, class To>
bool convert(const void* params, void* const* operands, size_t begin, size_t end) {
    map_chunks<Arch, ConvertOne<Arch, From, To>, Stored<From>, Stored<To>>(params, operands, begin, end);
    return true;
}

template <class Arch, class Op, class T>
struct TestOne {
    static uint8_t one(Stored<T> x) { return Op::logic(x); }
};
template <class Arch, class Op, class T>
bool map_to_bool(const void* params, void* const* operands, size_t begin, size_t end) {
    map_chunks<Arch, TestOne<Arch, Op, T>, Stored<T>, uint8_t>(params, operands, begin, end);
    return true;
}

}  // namespace coffer::kernels
