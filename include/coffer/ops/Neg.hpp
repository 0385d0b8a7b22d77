// -x; the smallest integer stays itself. https://onnx.ai/onnx/operators/onnx__Neg.html
#pragma once

#include "coffer/ops/family/unary.hpp"

namespace coffer::ops {

struct Neg : UnaryFast<Neg, kFloats | kSignedInts> {
    static constexpr Facts facts = exact(unary_facts("Neg", 13));

    static double scalar(double x) { return -x; }
    static int64_t integer(int64_t x, DType) { return static_cast<int64_t>(0 - static_cast<uint64_t>(x)); }
    template <class V>
    static V simd(V x) {
        return -x;
    }
};

}  // namespace coffer::ops
