// Smallest integer >= x. https://onnx.ai/onnx/operators/onnx__Ceil.html
#pragma once

#include <cmath>

#include "coffer/ops/family/unary.hpp"

namespace coffer::ops {

struct Ceil : UnaryFast<Ceil> {
    static constexpr Facts facts = exact(unary_facts("Ceil", 13));

    static double scalar(double x) { return std::ceil(x); }
    template <class V>
    static V simd(V x) {
        return ceil(x);
    }
};

}  // namespace coffer::ops
