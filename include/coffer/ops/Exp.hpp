// e to the x. https://onnx.ai/onnx/operators/onnx__Exp.html
#pragma once

#include <cmath>

#include "coffer/ops/family/unary.hpp"

namespace coffer::ops {

struct Exp : UnaryFast<Exp> {
    static constexpr Facts facts = unary_facts("Exp", 13);

    static double scalar(double x) { return std::exp(x); }
    template <class V>
    static V simd(V x) {
        return kernels::vexp(x);
    }
};

}  // namespace coffer::ops
