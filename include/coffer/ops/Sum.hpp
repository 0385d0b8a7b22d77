// Sum of all inputs. https://onnx.ai/onnx/operators/onnx__Sum.html
#pragma once

#include "coffer/ops/family/binary_variadic.hpp"

namespace coffer::ops {

struct Sum : VariadicFast<Sum, kFloats, float> {
    static constexpr Facts facts = variadic_facts("Sum", 13);

    static double combine(double a, double b) { return a + b; }
    template <class V>
    static V simd(V a, V b) {
        return a + b;
    }
};

}  // namespace coffer::ops
