// Sine. https://onnx.ai/onnx/operators/onnx__Sin.html
#pragma once

#include <cmath>

#include "coffer/ops/family/unary.hpp"

namespace coffer::ops {

struct Sin : UnaryFast<Sin> {
    static constexpr Facts facts = unary_facts("Sin", 22);

    static double scalar(double x) { return std::sin(x); }
    template <class V>
    static V simd(V x) {
        return sin(x);
    }
};

}  // namespace coffer::ops
