// Partial vectors, and the end of a register tile. Only arch.cpp includes this file.
#pragma once

#include "coffer/kernels/activation.hpp"
#include "coffer/kernels/simd.hpp"

namespace coffer::kernels {

// The first `count` (1 .. width; more counts as width) elements; the others read as zero and are not touched in
// memory.
#if defined(__AVX512F__)
static inline __mmask16 first_lanes(size_t count) {
    return static_cast<__mmask16>(count >= 16 ? 0xffff : (1u << count) - 1);
}
#endif
template <class Arch>
inline Batch<Arch, float> load_partial(const float* src, size_t count) {
    using V = Batch<Arch, float>;
#if defined(__AVX512F__)
    if constexpr (Arch::avx512) return _mm512_maskz_loadu_ps(first_lanes(count), src);
#endif
    if (count >= V::size) return V::load_unaligned(src);
    alignas(64) float padded[V::size] = {};
    for (size_t i = 0; i < count; ++i) padded[i] = src[i];
    return V::load_aligned(padded);
}
template <class Arch>
inline void store_partial(float* dst, Batch<Arch, float> value, size_t count) {
    using V = Batch<Arch, float>;
#if defined(__AVX512F__)
    if constexpr (Arch::avx512) return _mm512_mask_storeu_ps(dst, first_lanes(count), value);
#endif
    if (count >= V::size) return value.store_unaligned(dst);
    alignas(64) float padded[V::size];
    value.store_aligned(padded);
    for (size_t i = 0; i < count; ++i) dst[i] = padded[i];
}

template <class Arch, Act kind>
void activate_rows_as(Activation act, float* dst, size_t ld, size_t rows, size_t columns) {
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
void activate_rows(Activation act, float* dst, size_t ld, size_t rows, size_t columns) {
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
    bool simple;  // nothing but bias and clamp

    Epilogue(const EpilogueParams& p, const float* b, const float* r) : bias(b), residual(r), params(p) {
        const float infinity = __builtin_inff();
        const bool clip = p.act.kind == Act::kClip, relu = p.act.kind == Act::kRelu;
        low = V(clip ? p.act.alpha : relu ? 0.0f : -infinity);
        high = V(clip ? p.act.beta : infinity);
        simple = p.alpha == 1.0f && p.beta == 1.0f && !residual;
    }

    bool clamps() const { return params.act.kind == Act::kRelu || params.act.kind == Act::kClip; }

    // Where a register tile goes: `c` is its first element, which is (row, column) of the block; `columns` are real.
    struct Target {
        float* c;
        size_t ld, row, column, columns;
        bool first = true, last = true;  // C holds no sums yet; no more will come
    };

    // Ends a tile and stores it. What is rare goes through memory, so that the code of each tile stays small.
    template <int kRows, int kVectors>
    [[gnu::always_inline]] void store(const V (&sum)[kRows][kVectors], const Target& to) const {
        const size_t last = to.columns - (kVectors - 1) * V::size;
        if (simple && to.first && to.last && (Arch::avx512 || last == V::size)) {
            const auto count = [&](int v) { return Arch::avx512 && v == kVectors - 1 ? last : V::size; };
            V added[kVectors];
            COFFER_UNROLL for (int v = 0; v < kVectors; ++v) added[v] = V(0.0f);
            if (bias) {
                COFFER_UNROLL for (int v = 0; v < kVectors; ++v) {
                    added[v] = load_partial<Arch>(bias + to.column + v * V::size, count(v));
                }
            }
            COFFER_UNROLL for (int r = 0; r < kRows; ++r) {
                COFFER_UNROLL for (int v = 0; v < kVectors; ++v) {
                    const V value = clamp(sum[r][v] + added[v], low, high);
                    store_partial<Arch>(to.c + r * to.ld + v * V::size, value, count(v));
                }
            }
            return;
        }
        alignas(64) float stored[kRows * kVectors * V::size];
        COFFER_UNROLL for (int r = 0; r < kRows; ++r) {
            COFFER_UNROLL for (int v = 0; v < kVectors; ++v) sum[r][v].store_aligned(stored +
                                                                                     (r * kVectors + v) * V::size);
        }
        store_rows(stored, kRows, kVectors * V::size, to);
    }

    [[gnu::noinline]] void store_rows(const float* sums, size_t rows, size_t width, const Target& to) const {
        for (size_t r = 0; r < rows; ++r) {
            float* c = to.c + r * to.ld;
            for (size_t column = 0; column < to.columns; column += V::size) {
                const size_t count = to.columns - column;
                V value = V::load_unaligned(sums + r * width + column);
                if (!to.first) value += load_partial<Arch>(c + column, count);
                if (to.last) value = finish(value, to.row + r, to.column + column, count);
                store_partial<Arch>(c + column, value, count);
            }
        }
    }

    // One vector of which `count` columns are real.
    V finish(V sum, size_t row, size_t column, size_t count) const {
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
