// Tangent. https://onnx.ai/onnx/operators/onnx__Tan.html
#pragma once

#include <cmath>

#include "coffer/ops/family/unary.hpp"

namespace coffer::ops {

struct Tan : Unary<Tan> {
    static constexpr Facts facts = unary_facts("Tan", 22);

    static double scalar(double x) { return std::tan(x); }
};

}  // namespace coffer::ops
