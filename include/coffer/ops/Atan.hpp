// Arc tangent. https://onnx.ai/onnx/operators/onnx__Atan.html
#pragma once

#include <cmath>

#include "coffer/ops/family/unary.hpp"

namespace coffer::ops {

struct Atan : Unary<Atan> {
    static constexpr Facts facts = unary_facts("Atan", 22);

    static double scalar(double x) { return std::atan(x); }
};

}  // namespace coffer::ops
