// Cosine. https://onnx.ai/onnx/operators/onnx__Cos.html
#pragma once

#include <cmath>

#include "coffer/ops/family/unary.hpp"

namespace coffer::ops {

struct Cos : UnaryFast<Cos> {
    static constexpr Facts facts = unary_facts("Cos", 22);

    static double scalar(double x) { return std::cos(x); }
    template <class V>
    static V simd(V x) {
        return cos(x);
    }
};

}  // namespace coffer::ops
