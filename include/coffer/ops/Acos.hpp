// Arc cosine. https://onnx.ai/onnx/operators/onnx__Acos.html
#pragma once

#include <cmath>

#include "coffer/ops/family/unary.hpp"

namespace coffer::ops {

struct Acos : Unary<Acos> {
    static constexpr Facts facts = unary_facts("Acos", 22);

    static double scalar(double x) { return std::acos(x); }
};

}  // namespace coffer::ops
