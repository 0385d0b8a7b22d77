// x clamp(x / 6 + 1/2, 0, 1). https://onnx.ai/onnx/operators/onnx__HardSwish.html
#pragma once

#include "coffer/ops/family/unary.hpp"

namespace coffer::ops {

struct HardSwish : UnaryFast<HardSwish> {
    static constexpr Facts facts = unary_facts("HardSwish", 22);

    static double scalar(double x) {
        const double y = x / 6 + 0.5;
        return x * (y < 0 ? 0 : y > 1 ? 1 : y);
    }
    template <class V>
    static V simd(V x) {
        return x * min(V(1.0f), max(V(0.0f), fma(x, V(1.0f / 6), V(0.5f))));
    }
};

}  // namespace coffer::ops
