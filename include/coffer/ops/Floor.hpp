// Largest integer <= x. https://onnx.ai/onnx/operators/onnx__Floor.html
#pragma once

#include <cmath>

#include "coffer/ops/family/unary.hpp"

namespace coffer::ops {

struct Floor : UnaryFast<Floor> {
    static constexpr Facts facts = exact(unary_facts("Floor", 13));

    static double scalar(double x) { return std::floor(x); }
    template <class V>
    static V simd(V x) {
        return floor(x);
    }
};

}  // namespace coffer::ops
