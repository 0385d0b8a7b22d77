// Activations on batches, for fused epilogues. Only arch.cpp includes this file.
#pragma once

#include "coffer/kernels/epilogue_params.hpp"
#include "coffer/kernels/vecmath.hpp"

namespace coffer::kernels {

// max and min keep a NaN in their second operand on every row.
template <class V>
V clamp(V x, V low, V high) {
    return min(high, max(low, x));
}

template <Act kind, class V>
V activate(V x, V alpha, V beta) {
    const V zero(0.0f), one(1.0f), half(0.5f);
    if constexpr (kind == Act::kRelu) return max(zero, x);
    if constexpr (kind == Act::kClip) return clamp(x, alpha, beta);
    if constexpr (kind == Act::kLeakyRelu) return select(x < zero, alpha * x, x);
    if constexpr (kind == Act::kSigmoid) return vsigmoid(x);
    if constexpr (kind == Act::kTanh) return vtanh(x);
    if constexpr (kind == Act::kHardSigmoid) return clamp(fma(alpha, x, beta), zero, one);
    if constexpr (kind == Act::kHardSwish) return x * clamp(fma(x, V(1.0f / 6), half), zero, one);
    if constexpr (kind == Act::kSilu) return x * vsigmoid(alpha * x);
    if constexpr (kind == Act::kGelu) return half * x * (one + verf(x * V(0.70710678f)));
    if constexpr (kind == Act::kGeluTanh) {
        const V inner = x * fma(x * x, V(0.79788456f * 0.044715f), V(0.79788456f));
        return half * x * (one + vtanh(inner));
    }
    if constexpr (kind == Act::kElu) return select(x < zero, alpha * vexpm1(x), x);
    return x;
}

}  // namespace coffer::kernels
