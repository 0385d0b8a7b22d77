// Inverse hyperbolic sine. https://onnx.ai/onnx/operators/onnx__Asinh.html
#pragma once

#include <cmath>

#include "coffer/ops/family/unary.hpp"

namespace coffer::ops {

struct Asinh : Unary<Asinh> {
    static constexpr Facts facts = unary_facts("Asinh", 22);

    static double scalar(double x) { return std::asinh(x); }
};

}  // namespace coffer::ops
