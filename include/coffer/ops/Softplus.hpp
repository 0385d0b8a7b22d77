// log(1 + e^x). https://onnx.ai/onnx/operators/onnx__Softplus.html
#pragma once

#include <cmath>

#include "coffer/ops/family/unary.hpp"

namespace coffer::ops {

struct Softplus : UnaryFast<Softplus> {
    static constexpr Facts facts = unary_facts("Softplus", 22);

    static double scalar(double x) { return x > 0 ? x + std::log1p(std::exp(-x)) : std::log1p(std::exp(x)); }
    template <class V>
    static V simd(V x) {
        return max(V(0.0f), x) + log1p(kernels::vexp(-abs(x)));
    }
};

}  // namespace coffer::ops
