// Float rows by weights in blocks of 4 or 8 bits with a scale each (MatMulNBits): a column is expanded to float
// once and multiplied with every row of A. Only arch.cpp includes this file.
#pragma once

#include "coffer/kernels/qgemm_nbits_params.hpp"
#include "coffer/kernels/simd.hpp"

namespace coffer::kernels {

template <class Arch>
inline void nbits_expand(const NBitsParams& p, const uint8_t* column, const float* scales, const float* zeros,
                         float* dst) {
    for (size_t b = 0; b < p.blocks; ++b, column += p.block * p.bits / 8, dst += p.block) {
        const float scale = scales[b], zero = zeros[b];
        if (p.bits == 8) {
            for (size_t i = 0; i < p.block; ++i) dst[i] = (float(column[i]) - zero) * scale;
        } else {
            for (size_t i = 0; i < p.block / 2; ++i) {
                dst[2 * i] = (float(column[i] & 15) - zero) * scale;
                dst[2 * i + 1] = (float(column[i] >> 4) - zero) * scale;
            }
        }
    }
}

// R rows at a time; k beyond the last whole batch through padded ones.
template <class Arch, int R>
inline void nbits_dot(const float* a, size_t lda, const float* w, size_t k, float* sums) {
    using F = Batch<Arch, float>;
    F acc[R];
    for (int r = 0; r < R; ++r) acc[r] = F(0.0f);
    size_t i = 0;
    for (; i + F::size <= k; i += F::size) {
        const F wv = F::load_unaligned(w + i);
        for (int r = 0; r < R; ++r) acc[r] = fma(F::load_unaligned(a + size_t(r) * lda + i), wv, acc[r]);
    }
    if (i < k) {
        alignas(64) float wp[F::size] = {}, ap[F::size] = {};
        for (size_t j = i; j < k; ++j) wp[j - i] = w[j];
        for (int r = 0; r < R; ++r) {
            for (size_t j = i; j < k; ++j) ap[j - i] = a[size_t(r) * lda + j];
            acc[r] = fma(F::load_aligned(ap), F::load_aligned(wp), acc[r]);
        }
    }
    for (int r = 0; r < R; ++r) {
        alignas(64) float lanes[F::size];
        acc[r].store_aligned(lanes);
        float sum = 0;
        for (size_t j = 0; j < F::size; ++j) sum += lanes[j];
        sums[r] = sum;
    }
}

// Operands: A, B, scales, zero points (float, one a block), bias or null, result, workspace slots of a column.
// A unit is kNBitsColumns columns.
template <class Arch>
bool qgemm_nbits(const void* params, void* const* operands, size_t begin, size_t end) {
    const auto& p = *static_cast<const NBitsParams*>(params);
    const auto* a = static_cast<const float*>(operands[0]);
    const auto* b = static_cast<const uint8_t*>(operands[1]);
    const auto* scales = static_cast<const float*>(operands[2]);
    const auto* zeros = static_cast<const float*>(operands[3]);
    const auto* bias = static_cast<const float*>(operands[4]);
    auto* c = static_cast<float*>(operands[5]);
    float* column = static_cast<float*>(operands[6]) + begin * p.blocks * p.block;
    const size_t last = end * kNBitsColumns < p.n ? end * kNBitsColumns : p.n;
    for (size_t n = begin * kNBitsColumns; n < last; ++n) {
        nbits_expand<Arch>(p, b + n * p.blocks * p.block * p.bits / 8, scales + n * p.blocks, zeros + n * p.blocks,
                           column);
        const float added = bias ? bias[n] : 0;
        size_t m = 0;
        float sums[4];
        for (; m + 4 <= p.m; m += 4) {
            nbits_dot<Arch, 4>(a + m * p.k, p.k, column, p.k, sums);
            for (size_t r = 0; r < 4; ++r) c[(m + r) * p.n + n] = sums[r] + added;
        }
        for (; m < p.m; ++m) {
            nbits_dot<Arch, 1>(a + m * p.k, p.k, column, p.k, sums);
            c[m * p.n + n] = sums[0] + added;
        }
    }
    return true;
}

}  // namespace coffer::kernels
