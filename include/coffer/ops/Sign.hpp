// -1, 0 or 1. https://onnx.ai/onnx/operators/onnx__Sign.html
#pragma once

#include "coffer/ops/family/unary.hpp"

namespace coffer::ops {

struct Sign : UnaryFast<Sign, kNumbers> {
    static constexpr Facts facts = exact(unary_facts("Sign", 13));

    static double scalar(double x) { return x > 0 ? 1 : x < 0 ? -1 : x; }
    static int64_t integer(int64_t x, DType t) { return x == 0 ? 0 : x < 0 && is_signed_integer(t) ? -1 : 1; }
    template <class V>
    static V simd(V x) {
        return select(x == V(0.0f), x, select(x == x, copysign(V(1.0f), x), x));
    }
};

}  // namespace coffer::ops
