// Natural logarithm. https://onnx.ai/onnx/operators/onnx__Log.html
#pragma once

#include <cmath>

#include "coffer/ops/family/unary.hpp"

namespace coffer::ops {

struct Log : UnaryFast<Log> {
    static constexpr Facts facts = unary_facts("Log", 13);

    static double scalar(double x) { return std::log(x); }
    template <class V>
    static V simd(V x) {
        return log(x);
    }
};

}  // namespace coffer::ops
