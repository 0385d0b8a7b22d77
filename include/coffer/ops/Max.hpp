// Largest of all inputs; NaN when one is NaN. https://onnx.ai/onnx/operators/onnx__Max.html
#pragma once

#include "coffer/ops/family/binary_variadic.hpp"

namespace coffer::ops {

struct Max : VariadicFast<Max, kNumbers, float, int32_t> {
    static constexpr Facts facts = variadic_facts("Max", 13);

    static double combine(double a, double b) { return a > b || a != a ? a : b; }
    static int64_t combine(int64_t a, int64_t b, DType t) { return less_integer(a, b, t) ? b : a; }
    template <class V>
    static V simd(V a, V b) {
        return select(a == a, max(a, b), a);
    }
};

}  // namespace coffer::ops
