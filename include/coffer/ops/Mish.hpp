// x tanh(log(1 + e^x)). https://onnx.ai/onnx/operators/onnx__Mish.html
#pragma once

#include <cmath>

#include "coffer/ops/family/unary.hpp"

namespace coffer::ops {

struct Mish : UnaryFast<Mish> {
    static constexpr Facts facts = unary_facts("Mish", 22);

    static double scalar(double x) {
        return x * std::tanh(x > 0 ? x + std::log1p(std::exp(-x)) : std::log1p(std::exp(x)));
    }
    template <class V>
    static V simd(V x) {
        // With e = e^x: tanh(log(1 + e)) = (e^2 + 2 e) / (e^2 + 2 e + 2), which is 1 in float32 from x = 20 on.
        const V e = kernels::vexp(min(V(20.0f), x));
        const V n = e * (e + V(2.0f));
        return x * (n / (n + V(2.0f)));
    }
};

}  // namespace coffer::ops
