// Hyperbolic cosine. https://onnx.ai/onnx/operators/onnx__Cosh.html
#pragma once

#include <cmath>

#include "coffer/ops/family/unary.hpp"

namespace coffer::ops {

struct Cosh : Unary<Cosh> {
    static constexpr Facts facts = unary_facts("Cosh", 22);

    static double scalar(double x) { return std::cosh(x); }
};

}  // namespace coffer::ops
