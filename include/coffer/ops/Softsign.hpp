// x / (1 + |x|). https://onnx.ai/onnx/operators/onnx__Softsign.html
#pragma once

#include <cmath>

#include "coffer/ops/family/unary.hpp"

namespace coffer::ops {

struct Softsign : UnaryFast<Softsign> {
    static constexpr Facts facts = unary_facts("Softsign", 22);

    static double scalar(double x) { return x / (1 + std::fabs(x)); }
    template <class V>
    static V simd(V x) {
        return x / (V(1.0f) + abs(x));
    }
};

}  // namespace coffer::ops
