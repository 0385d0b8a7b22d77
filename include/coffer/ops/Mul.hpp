// a b; integers wrap. https://onnx.ai/onnx/operators/onnx__Mul.html
#pragma once

#include "coffer/ops/family/binary.hpp"

namespace coffer::ops {

struct Mul : BinaryFast<Mul, kNumbers, float, int32_t, int64_t> {
    static constexpr Facts facts = binary_facts("Mul", 14);

    static double scalar(double a, double b) { return a * b; }
    static bool integer(int64_t a, int64_t b, DType, int64_t* out) {
        *out = static_cast<int64_t>(static_cast<uint64_t>(a) * static_cast<uint64_t>(b));
        return true;
    }
    template <class V>
    static V simd(V a, V b) {
        return kernels::vmul(a, b);
    }
};

}  // namespace coffer::ops
