// Inverse hyperbolic cosine. https://onnx.ai/onnx/operators/onnx__Acosh.html
#pragma once

#include <cmath>

#include "coffer/ops/family/unary.hpp"

namespace coffer::ops {

struct Acosh : Unary<Acosh> {
    static constexpr Facts facts = unary_facts("Acosh", 22);

    static double scalar(double x) { return std::acosh(x); }
};

}  // namespace coffer::ops
