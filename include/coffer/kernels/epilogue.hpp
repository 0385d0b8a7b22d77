// Partial vectors, and the end of a register tile. Only arch.cpp includes this file.
#pragma once

#include "coffer/kernels/activation.hpp"
#include "coffer/kernels/simd.hpp"

namespace coffer::kernels {

// a * b + c in one rounding where the row has it: xsimd 8.1 has no fma for AVX-512 and splits it in two.
template <class Arch>
[[gnu::always_inline]] static inline Batch<Arch, float> multiply_add(Batch<Arch, float> a, Batch<Arch, float> b,
                                                                     Batch<Arch, float> c) {
#if defined(__AVX512F__)
    if constexpr (Arch::avx512) return _mm512_fmadd_ps(a, b, c);
#endif
    return fma(a, b, c);
}

// The first `count` (1 .. width) elements; the others read as zero and are not touched in memory.
template <class Arch>
static inline Batch<Arch, float> load_partial(const float* src, size_t count) {
    using V = Batch<Arch, float>;
    if (count >= V::size) return V::load_unaligned(src);
    alignas(64) float padded[V::size] = {};
    for (size_t i = 0; i < count; ++i) padded[i] = src[i];
    return V::load_aligned(padded);
}
template <class Arch>
static inline void store_partial(float* dst, Batch<Arch, float> value, size_t count) {
    using V = Batch<Arch, float>;
    if (count >= V::size) return value.store_unaligned(dst);
    alignas(64) float padded[V::size];
    value.store_aligned(padded);
    for (size_t i = 0; i < count; ++i) dst[i] = padded[i];
}

template <class Arch, Act kind>
static void activate_rows_as(Activation act, float* dst, size_t ld, size_t rows, size_t columns) {
    using V = Batch<Arch, float>;
    const V alpha(act.alpha), beta(act.beta);
    for (size_t r = 0; r < rows; ++r, dst += ld) {
        size_t c = 0;
        for (; c + V::size <= columns; c += V::size) {
            activate<kind>(V::load_unaligned(dst + c), alpha, beta).store_unaligned(dst + c);
        }
        if (c < columns) {
            const V last = activate<kind>(load_partial<Arch>(dst + c, columns - c), alpha, beta);
            store_partial<Arch>(dst + c, last, columns - c);
        }
    }
}

// In place on a block that was just written, so it is still in the first-level cache.
template <class Arch>
static void activate_rows(Activation act, float* dst, size_t ld, size_t rows, size_t columns) {
    switch (act.kind) {
        case Act::kNone: return;
        case Act::kRelu: return activate_rows_as<Arch, Act::kRelu>(act, dst, ld, rows, columns);
        case Act::kClip: return activate_rows_as<Arch, Act::kClip>(act, dst, ld, rows, columns);
        case Act::kLeakyRelu: return activate_rows_as<Arch, Act::kLeakyRelu>(act, dst, ld, rows, columns);
        case Act::kSigmoid: return activate_rows_as<Arch, Act::kSigmoid>(act, dst, ld, rows, columns);
        case Act::kTanh: return activate_rows_as<Arch, Act::kTanh>(act, dst, ld, rows, columns);
        case Act::kHardSigmoid: return activate_rows_as<Arch, Act::kHardSigmoid>(act, dst, ld, rows, columns);
        case Act::kHardSwish: return activate_rows_as<Arch, Act::kHardSwish>(act, dst, ld, rows, columns);
        case Act::kSilu: return activate_rows_as<Arch, Act::kSilu>(act, dst, ld, rows, columns);
        case Act::kGelu: return activate_rows_as<Arch, Act::kGelu>(act, dst, ld, rows, columns);
        case Act::kGeluTanh: return activate_rows_as<Arch, Act::kGeluTanh>(act, dst, ld, rows, columns);
        case Act::kElu: return activate_rows_as<Arch, Act::kElu>(act, dst, ld, rows, columns);
    }
}

// The epilogue of one block of the output: pointers are already at its first row and column. Clamps cost
// nothing in registers and are applied there; every other activation runs over the stored block.
template <class Arch>
struct Epilogue {
    using V = Batch<Arch, float>;

    const float* bias = nullptr;
    const float* residual = nullptr;
    EpilogueParams params;
    V low, high;

    Epilogue(const EpilogueParams& p, const float* b, const float* r) : bias(b), residual(r), params(p) {
        const float infinity = __builtin_inff();
        const bool clip = p.act.kind == Act::kClip, relu = p.act.kind == Act::kRelu;
        low = V(clip ? p.act.alpha : relu ? 0.0f : -infinity);
        high = V(clip ? p.act.beta : infinity);
    }

    bool clamps() const { return params.act.kind == Act::kRelu || params.act.kind == Act::kClip; }

    // A register tile of whole vectors whose first row and column are given.
    template <int kRows, int kVectors>
    void finish(V (&sum)[kRows][kVectors], size_t row, size_t column) const {
        if (params.alpha != 1.0f) {
            const V alpha(params.alpha);
            for (int r = 0; r < kRows; ++r) {
                for (int v = 0; v < kVectors; ++v) sum[r][v] *= alpha;
            }
        }
        if (bias) {
            const V beta(params.beta);
            for (int v = 0; v < kVectors; ++v) {
                const V b = V::load_unaligned(bias + column + v * V::size) * beta;
                for (int r = 0; r < kRows; ++r) sum[r][v] += b;
            }
        }
        if (residual) {
            const V scale(params.residual_scale);
            for (int r = 0; r < kRows; ++r) {
                const float* z = residual + (row + r) * params.residual_ld + column * params.residual_column;
                for (int v = 0; v < kVectors; ++v) {
                    const V value = params.residual_column ? V::load_unaligned(z + v * V::size) : V(*z);
                    sum[r][v] = fma(value, scale, sum[r][v]);
                }
            }
        }
        if (clamps()) {
            for (int r = 0; r < kRows; ++r) {
                for (int v = 0; v < kVectors; ++v) sum[r][v] = clamp(sum[r][v], low, high);
            }
        }
    }
    // One vector of which `count` columns are real.
    V finish_partial(V sum, size_t row, size_t column, size_t count) const {
        sum *= V(params.alpha);
        if (bias) sum += load_partial<Arch>(bias + column, count) * V(params.beta);
        if (residual) {
            const float* z = residual + row * params.residual_ld + column * params.residual_column;
            const V value = params.residual_column ? load_partial<Arch>(z, count) : V(*z);
            sum = fma(value, V(params.residual_scale), sum);
        }
        return clamps() ? clamp(sum, low, high) : sum;
    }
    void activate(float* dst, size_t ld, size_t rows, size_t columns) const {
        if (params.act.kind != Act::kNone && !clamps()) activate_rows<Arch>(params.act, dst, ld, rows, columns);
    }
};

}  // namespace coffer::kernels
