// a / b; integers truncate and refuse a zero divisor. https://onnx.ai/onnx/operators/onnx__Div.html
#pragma once

#include "coffer/ops/family/binary.hpp"

namespace coffer::ops {

struct Div : BinaryFast<Div, kNumbers, float> {
    static constexpr Facts facts = binary_facts("Div", 14);

    static double scalar(double a, double b) { return a / b; }
    static bool integer(int64_t a, int64_t b, DType t, int64_t* out) {
        if (b == 0) return false;
        if (t == DType::kUint64) {
            *out = static_cast<int64_t>(static_cast<uint64_t>(a) / static_cast<uint64_t>(b));
        } else {
            *out = b == -1 ? static_cast<int64_t>(0 - static_cast<uint64_t>(a)) : a / b;
        }
        return true;
    }
    template <class V>
    static V simd(V a, V b) {
        return a / b;
    }
};

}  // namespace coffer::ops
