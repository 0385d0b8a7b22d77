// Error function. https://onnx.ai/onnx/operators/onnx__Erf.html
#pragma once

#include <cmath>

#include "coffer/ops/family/unary.hpp"

namespace coffer::ops {

struct Erf : UnaryFast<Erf> {
    static constexpr Facts facts = unary_facts("Erf", 13);

    static double scalar(double x) { return std::erf(x); }
    template <class V>
    static V simd(V x) {
        return kernels::verf(x);
    }
};

}  // namespace coffer::ops
