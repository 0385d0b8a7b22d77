// Square root, NaN below zero. https://onnx.ai/onnx/operators/onnx__Sqrt.html
#pragma once

#include <cmath>

#include "coffer/ops/family/unary.hpp"

namespace coffer::ops {

struct Sqrt : UnaryFast<Sqrt> {
    static constexpr Facts facts = unary_facts("Sqrt", 13);

    static double scalar(double x) { return std::sqrt(x); }
    template <class V>
    static V simd(V x) {
        return sqrt(x);
    }
};

}  // namespace coffer::ops
