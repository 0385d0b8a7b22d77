// Between float32 and 8 bits, and the parameters of dynamic quantization. Division, not multiplication by a
// reciprocal: the formula is that of QuantizeLinear to the bit, alike on every instruction set.
// Only arch.cpp includes this file.
#pragma once

#include "coffer/kernels/qgemm_simd.hpp"
#include "coffer/kernels/quantize_params.hpp"

namespace coffer::kernels {

template <class Arch, bool kSigned>
inline void quantize_run(const float* src, uint8_t* dst, size_t count, float scale, int32_t zero) {
    using L = QLanes<Arch>;
    using I = typename L::I;
    using F = typename L::F;
    const F divisor(scale), low(float((kSigned ? -128 : 0) - zero)), high(float((kSigned ? 127 : 255) - zero));
    const I offset(zero);
    const auto sixteen = [&](const float* from, uint8_t* to) {
        I v[L::kCount];
        for (size_t i = 0; i < L::kCount; ++i) {
            const F f = F::load_unaligned(from + i * F::size) / divisor;
            v[i] = L::round(min(max(f, low), high)) + offset;
        }
        L::store_bytes(to, v);
    };
    size_t i = 0;
    for (; i + kQPanel <= count; i += kQPanel) sixteen(src + i, dst + i);
    if (i == count) return;
    float padded[kQPanel] = {};
    uint8_t bytes[kQPanel];
    for (size_t k = i; k < count; ++k) padded[k - i] = src[k];
    sixteen(padded, bytes);
    for (size_t k = i; k < count; ++k) dst[k] = bytes[k - i];
}

template <class Arch, bool kSigned>
inline void dequantize_run(const uint8_t* src, float* dst, size_t count, float scale, int32_t zero) {
    using L = QLanes<Arch>;
    using I = typename L::I;
    using F = typename L::F;
    const F factor(scale);
    const uint8_t flip = kSigned ? 0x80 : 0;  // s8 x is read as u8 x + 128
    const I offset(zero + (kSigned ? 128 : 0));
    const auto sixteen = [&](const uint8_t* from, float* to) {
        uint8_t bytes[kQPanel];
        if constexpr (kSigned) {
            for (size_t k = 0; k < kQPanel; ++k) bytes[k] = from[k] ^ flip;
            from = bytes;
        }
        I v[L::kCount];
        L::load_bytes(v, from);
        for (size_t i = 0; i < L::kCount; ++i)
            (L::to_float(v[i] - offset) * factor).store_unaligned(to + i * F::size);
    };
    size_t i = 0;
    for (; i + kQPanel <= count; i += kQPanel) sixteen(src + i, dst + i);
    if (i == count) return;
    uint8_t padded[kQPanel] = {};
    float out[kQPanel];
    for (size_t k = i; k < count; ++k) padded[k - i] = src[k];
    sixteen(padded, out);
    for (size_t k = i; k < count; ++k) dst[k] = out[k - i];
}

// Calls run(element, count, scale index) for the pieces of runs that lie in units [begin, end).
template <class Arch, class Run>
inline void quantize_units(const QuantizeParams& p, size_t begin, size_t end, const Run& run) {
    const size_t count = p.runs * p.inner;
    size_t i = begin * kQuantizeBlock;
    const size_t last = end * kQuantizeBlock < count ? end * kQuantizeBlock : count;
    while (i < last) {
        const size_t r = i / p.inner;
        const size_t stop = (r + 1) * p.inner < last ? (r + 1) * p.inner : last;
        run(i, stop - i, r % p.axis);
        i = stop;
    }
}

// Operands: float x, 8-bit y, [QBlock].
template <class Arch>
bool quantize_f32(const void* params, void* const* operands, size_t begin, size_t end) {
    const auto& p = *static_cast<const QuantizeParams*>(params);
    const auto* src = static_cast<const float*>(operands[0]);
    auto* dst = static_cast<uint8_t*>(operands[1]);
    quantize_units<Arch>(p, begin, end, [&](size_t at, size_t count, size_t axis) {
        const QBlock* block = p.from_block ? static_cast<const QBlock*>(operands[2]) : nullptr;
        const float scale = block ? block->x_scale : p.scales[axis];
        const int32_t zero = block ? block->raw_zero : p.zeros[axis];
        if (p.is_signed) {
            quantize_run<Arch, true>(src + at, dst + at, count, scale, zero);
        } else {
            quantize_run<Arch, false>(src + at, dst + at, count, scale, zero);
        }
    });
    return true;
}

// Operands: 8-bit x, float y.
template <class Arch>
bool dequantize_f32(const void* params, void* const* operands, size_t begin, size_t end) {
    const auto& p = *static_cast<const QuantizeParams*>(params);
    const auto* src = static_cast<const uint8_t*>(operands[0]);
    auto* dst = static_cast<float*>(operands[1]);
    quantize_units<Arch>(p, begin, end, [&](size_t at, size_t count, size_t axis) {
        if (p.is_signed) {
            dequantize_run<Arch, true>(src + at, dst + at, count, p.scales[axis], p.zeros[axis]);
        } else {
            dequantize_run<Arch, false>(src + at, dst + at, count, p.scales[axis], p.zeros[axis]);
        }
    });
    return true;
}

// Operands: float x, two floats a unit.
template <class Arch>
bool minmax_f32(const void* params, void* const* operands, size_t begin, size_t end) {
    using F = Batch<Arch, float>;
    const auto& p = *static_cast<const MinMaxParams*>(params);
    const auto* src = static_cast<const float*>(operands[0]);
    auto* extremes = static_cast<float*>(operands[1]);
    for (size_t unit = begin; unit < end; ++unit) {
        size_t i = unit * kQuantizeBlock;
        const size_t last = i + kQuantizeBlock < p.count ? i + kQuantizeBlock : p.count;
        F low(0.0f), high(0.0f);  // the range always includes 0
        for (; i + F::size <= last; i += F::size) {
            const F x = F::load_unaligned(src + i);
            low = min(low, x);
            high = max(high, x);
        }
        alignas(64) float lows[F::size], highs[F::size];
        low.store_aligned(lows);
        high.store_aligned(highs);
        float least = 0, most = 0;
        for (size_t k = 0; k < F::size; ++k) {
            least = lows[k] < least ? lows[k] : least;
            most = highs[k] > most ? highs[k] : most;
        }
        for (; i < last; ++i) {
            least = src[i] < least ? src[i] : least;
            most = src[i] > most ? src[i] : most;
        }
        extremes[2 * unit] = least;
        extremes[2 * unit + 1] = most;
    }
    return true;
}

// Scale and zero point of DynamicQuantizeLinear.
template <class Arch>
inline void dynamic_parameters(const float* extremes, size_t units, float* scale, int32_t* zero) {
    float least = 0, most = 0;
    for (size_t i = 0; i < units; ++i) {
        least = extremes[2 * i] < least ? extremes[2 * i] : least;
        most = extremes[2 * i + 1] > most ? extremes[2 * i + 1] : most;
    }
    *scale = most == least ? 1.0f : (most - least) / 255.0f;
    const float z = -least / *scale;
    // Where the extremes give no number: 0.
    *zero = int32_t(__builtin_nearbyintf(!(z > 0) ? 0 : z > 255 ? 255 : z));
}

template <class Arch>
bool qprepare(const void* params, void* const* operands, size_t, size_t) {
    const auto& p = *static_cast<const QPrepareParams*>(params);
    void* from = operands[0];
    void* to = operands[1];
    auto* head = static_cast<QBlock*>(to);
    *head = *static_cast<const QBlock*>(from);
    float scale = 1;
    int32_t zero = 0;
    if (p.minmax_units) {
        dynamic_parameters<Arch>(static_cast<const float*>(operands[4]), p.minmax_units, &scale, &zero);
    } else {
        if (p.has_scale) scale = *static_cast<const float*>(operands[2]);
        if (p.has_zero) {
            zero = p.is_signed ? *static_cast<const int8_t*>(operands[3]) : *static_cast<const uint8_t*>(operands[3]);
        }
    }
    head->x_scale = scale;
    head->raw_zero = zero;
    head->x_zero = zero + p.shift;
    if (p.publish) {
        *static_cast<float*>(operands[5]) = scale;
        *static_cast<uint8_t*>(operands[6]) = static_cast<uint8_t>(zero);
    }
    const size_t n = p.columns;
    const int32_t* sums = qblock_weight_zero(from, n) + n;
    const int32_t* weight_zero = qblock_weight_zero(from, n);
    for (size_t i = 0; i < n; ++i) {
        // Unsigned: wraps like the sums themselves.
        const uint32_t x = uint32_t(head->x_zero);
        const uint32_t correction = x * uint32_t(sums[i]) - uint32_t(p.k) * x * uint32_t(weight_zero[i]);
        qblock_init(to)[i] = int32_t(uint32_t(qblock_init(from)[i]) - correction);
        const float product = p.alpha * scale * qblock_scale(from, n)[i];
        qblock_scale(to, n)[i] = p.requantize ? product / head->y_scale : product;
        qblock_bias(to, n)[i] = qblock_bias(from, n)[i];
        qblock_weight_zero(to, n)[i] = weight_zero[i];
    }
    return true;
}

}  // namespace coffer::kernels
