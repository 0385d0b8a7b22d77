// Hyperbolic tangent. https://onnx.ai/onnx/operators/onnx__Tanh.html
#pragma once

#include <cmath>

#include "coffer/ops/family/unary.hpp"

namespace coffer::ops {

struct Tanh : UnaryFast<Tanh> {
    static constexpr Facts facts = unary_facts("Tanh", 13);

    static double scalar(double x) { return std::tanh(x); }
    template <class V>
    static V simd(V x) {
        return kernels::vtanh(x);
    }
};

}  // namespace coffer::ops
