// Bits set in one or both. https://onnx.ai/onnx/operators/onnx__BitwiseOr.html
#pragma once

#include "coffer/ops/family/binary.hpp"

namespace coffer::ops {

struct BitwiseOr : Binary<BitwiseOr, kIntegers> {
    static constexpr Facts facts = binary_facts("BitwiseOr", 18);

    static bool integer(int64_t a, int64_t b, DType, int64_t* out) {
        *out = a | b;
        return true;
    }
};

}  // namespace coffer::ops
