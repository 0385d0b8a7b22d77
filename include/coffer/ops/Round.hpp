// Nearest integer, halves to even. https://onnx.ai/onnx/operators/onnx__Round.html
#pragma once

#include <cmath>

#include "coffer/ops/family/unary.hpp"

namespace coffer::ops {

struct Round : UnaryFast<Round> {
    static constexpr Facts facts = exact(unary_facts("Round", 22));

    static double scalar(double x) { return std::nearbyint(x); }
    template <class V>
    static V simd(V x) {
        return nearbyint(x);
    }
};

}  // namespace coffer::ops
