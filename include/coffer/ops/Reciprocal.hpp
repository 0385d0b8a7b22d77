// 1 / x. https://onnx.ai/onnx/operators/onnx__Reciprocal.html
#pragma once

#include "coffer/ops/family/unary.hpp"

namespace coffer::ops {

struct Reciprocal : UnaryFast<Reciprocal> {
    static constexpr Facts facts = unary_facts("Reciprocal", 13);

    static double scalar(double x) { return 1 / x; }
    template <class V>
    static V simd(V x) {
        return V(1.0f) / x;
    }
};

}  // namespace coffer::ops
