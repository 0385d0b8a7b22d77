// Bits set in one of both. https://onnx.ai/onnx/operators/onnx__BitwiseXor.html
#pragma once

#include "coffer/ops/family/binary.hpp"

namespace coffer::ops {

struct BitwiseXor : Binary<BitwiseXor, kIntegers> {
    static constexpr Facts facts = binary_facts("BitwiseXor", 18);

    static bool integer(int64_t a, int64_t b, DType, int64_t* out) {
        *out = a ^ b;
        return true;
    }
};

}  // namespace coffer::ops
