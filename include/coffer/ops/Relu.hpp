// max(x, 0). https://onnx.ai/onnx/operators/onnx__Relu.html
#pragma once

#include "coffer/ops/family/unary.hpp"

namespace coffer::ops {

struct Relu : UnaryFast<Relu, kFloats | kSignedInts> {
    static constexpr Facts facts = exact(unary_facts("Relu", 14));

    static double scalar(double x) { return x < 0 ? 0 : x; }
    static int64_t integer(int64_t x, DType) { return x < 0 ? 0 : x; }
    template <class V>
    static V simd(V x) {
        return max(V(0.0f), x);
    }
};

}  // namespace coffer::ops
