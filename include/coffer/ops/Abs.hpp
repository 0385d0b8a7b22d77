// |x|; the smallest signed integer stays itself. https://onnx.ai/onnx/operators/onnx__Abs.html
#pragma once

#include <cmath>

#include "coffer/ops/family/unary.hpp"

namespace coffer::ops {

struct Abs : UnaryFast<Abs, kNumbers> {
    static constexpr Facts facts = exact(unary_facts("Abs", 13));

    static double scalar(double x) { return std::fabs(x); }
    static int64_t integer(int64_t x, DType t) {
        return is_signed_integer(t) && x < 0 ? static_cast<int64_t>(0 - static_cast<uint64_t>(x)) : x;
    }
    template <class V>
    static V simd(V x) {
        return abs(x);
    }
};

}  // namespace coffer::ops
