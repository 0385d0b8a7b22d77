// Element-wise operations on 8-bit tensors: a table of 256 results for one input, dequantized arithmetic for two.
// Only arch.cpp includes this file.
#pragma once

#include "coffer/kernels/qgemm_simd.hpp"
#include "coffer/kernels/quantize_params.hpp"

namespace coffer::kernels {

// Operands: x, y. Units are kQuantizeBlock bytes of x.
template <class Arch>
bool qtable(const void* params, void* const* operands, size_t begin, size_t end) {
    const auto& p = *static_cast<const QTableParams*>(params);
    const auto* src = static_cast<const uint8_t*>(operands[0]);
    auto* dst = static_cast<uint8_t*>(operands[1]) + p.dst_offset;
    const size_t count = p.runs * p.length;
    const size_t last = end * kQuantizeBlock < count ? end * kQuantizeBlock : count;
    for (size_t i = begin * kQuantizeBlock; i < last;) {
        const size_t run = i / p.length, stop = (run + 1) * p.length < last ? (run + 1) * p.length : last;
        uint8_t* out = dst + run * p.dst_stride - run * p.length;
        for (; i < stop; ++i) out[i] = p.table[src[i]];
    }
    return true;
}

// Sixteen results of a QBinary.
template <class Arch>
struct QBinaryLanes {
    using L = QLanes<Arch>;
    using I = typename L::I;
    using F = typename L::F;
    const QBinaryParams& p;
    I a_zero, b_zero, c_zero;
    F a_scale, b_scale, c_scale, low, high;
    uint8_t flip;

    explicit QBinaryLanes(const QBinaryParams& q)
        : p(q),
          a_zero(q.a_zero + (q.is_signed ? 128 : 0)),
          b_zero(q.b_zero + (q.is_signed ? 128 : 0)),
          c_zero(q.c_zero),
          a_scale(q.a_scale),
          b_scale(q.b_scale),
          c_scale(q.c_scale),
          low(float((q.is_signed ? -128 : 0) - q.c_zero)),
          high(float((q.is_signed ? 127 : 255) - q.c_zero)),
          flip(q.is_signed ? 0x80 : 0) {}

    void load(I* v, const uint8_t* src) const {
        uint8_t bytes[kQPanel];
        QBytes<Arch>::copy16(bytes, src, flip);
        L::load_bytes(v, bytes);
    }
    void operator()(const uint8_t* a, const uint8_t* b, uint8_t* c) const {
        I av[L::kCount], bv[L::kCount];
        load(av, a);
        load(bv, b);
        for (size_t i = 0; i < L::kCount; ++i) {
            const F x = L::to_float(av[i] - a_zero) * a_scale, y = L::to_float(bv[i] - b_zero) * b_scale;
            const F r = (p.op == QBinary::kAdd ? x + y : x * y) / c_scale;
            av[i] = L::round(min(max(r, low), high)) + c_zero;
        }
        L::store_bytes(c, av);
    }
};

// Operands: a, b, c. A unit is kQuantizeBlock elements of a row: ceil(inner / block) units a row.
template <class Arch>
bool qbinary(const void* params, void* const* operands, size_t begin, size_t end) {
    const auto& p = *static_cast<const QBinaryParams*>(params);
    const QBinaryLanes<Arch> sixteen(p);
    const size_t per_row = (p.inner + kQuantizeBlock - 1) / kQuantizeBlock;
    for (size_t unit = begin; unit < end; ++unit) {
        const size_t row = unit / per_row, first = unit % per_row * kQuantizeBlock;
        const size_t last = first + kQuantizeBlock < p.inner ? first + kQuantizeBlock : p.inner;
        const auto* a = static_cast<const uint8_t*>(operands[0]) + row * p.a_row;
        const auto* b = static_cast<const uint8_t*>(operands[1]) + row * p.b_row;
        auto* c = static_cast<uint8_t*>(operands[2]) + row * p.inner;
        uint8_t a_bytes[kQPanel], b_bytes[kQPanel], out[kQPanel];
        for (size_t k = 0; k < kQPanel; ++k) {
            a_bytes[k] = *a;
            b_bytes[k] = *b;
        }
        size_t i = first;
        for (; i + kQPanel <= last; i += kQPanel)
            sixteen(p.a_one ? a_bytes : a + i, p.b_one ? b_bytes : b + i, c + i);
        if (i == last) continue;
        for (size_t k = 0; k < last - i; ++k) {
            if (!p.a_one) a_bytes[k] = a[i + k];
            if (!p.b_one) b_bytes[k] = b[i + k];
        }
        sixteen(a_bytes, b_bytes, out);
        for (size_t k = 0; k < last - i; ++k) c[i + k] = out[k];
    }
    return true;
}

}  // namespace coffer::kernels
