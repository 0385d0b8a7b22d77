// Arc sine. https://onnx.ai/onnx/operators/onnx__Asin.html
#pragma once

#include <cmath>

#include "coffer/ops/family/unary.hpp"

namespace coffer::ops {

struct Asin : Unary<Asin> {
    static constexpr Facts facts = unary_facts("Asin", 22);

    static double scalar(double x) { return std::asin(x); }
};

}  // namespace coffer::ops
