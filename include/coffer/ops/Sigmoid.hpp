// 1 / (1 + e^-x). https://onnx.ai/onnx/operators/onnx__Sigmoid.html
#pragma once

#include <cmath>

#include "coffer/ops/family/unary.hpp"

namespace coffer::ops {

struct Sigmoid : UnaryFast<Sigmoid> {
    static constexpr Facts facts = unary_facts("Sigmoid", 13);

    static double scalar(double x) { return 1 / (1 + std::exp(-x)); }
    template <class V>
    static V simd(V x) {
        return kernels::vsigmoid(x);
    }
};

}  // namespace coffer::ops
