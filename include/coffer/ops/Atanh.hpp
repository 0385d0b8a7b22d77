// Inverse hyperbolic tangent. https://onnx.ai/onnx/operators/onnx__Atanh.html
#pragma once

#include <cmath>

#include "coffer/ops/family/unary.hpp"

namespace coffer::ops {

struct Atanh : Unary<Atanh> {
    static constexpr Facts facts = unary_facts("Atanh", 22);

    static double scalar(double x) { return std::atanh(x); }
};

}  // namespace coffer::ops
