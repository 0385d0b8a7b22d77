// x, or slope x below zero; the slope broadcasts to x. https://onnx.ai/onnx/operators/onnx__PRelu.html
#pragma once

#include "coffer/ops/family/binary.hpp"

namespace coffer::ops {

struct PRelu : BinaryFast<PRelu, kFloats | kWideInts, float> {
    static constexpr Facts facts = binary_facts("PRelu", 16);

    static Status check(const InferContext& c) {
        Shape shape;
        if (broadcast(c.shape(0), c.shape(1), &shape) && shape == c.shape(0)) return {};
        return c.fail("slope of shape ", c.shape(1), " does not broadcast to ", c.shape(0));
    }
    static double scalar(double x, double slope) { return x < 0 ? slope * x : x; }
    static bool integer(int64_t x, int64_t slope, DType t, int64_t* out) {
        const bool negative = is_signed_integer(t) && x < 0;
        *out = negative ? static_cast<int64_t>(static_cast<uint64_t>(x) * static_cast<uint64_t>(slope)) : x;
        return true;
    }
    template <class V>
    static V simd(V x, V slope) {
        return select(x < V(0.0f), x * slope, x);
    }
};

}  // namespace coffer::ops
