// Hyperbolic sine. https://onnx.ai/onnx/operators/onnx__Sinh.html
#pragma once

#include <cmath>

#include "coffer/ops/family/unary.hpp"

namespace coffer::ops {

struct Sinh : Unary<Sinh> {
    static constexpr Facts facts = unary_facts("Sinh", 22);

    static double scalar(double x) { return std::sinh(x); }
};

}  // namespace coffer::ops
