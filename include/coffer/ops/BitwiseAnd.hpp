// Bits set in both. https://onnx.ai/onnx/operators/onnx__BitwiseAnd.html
#pragma once

#include "coffer/ops/family/binary.hpp"

namespace coffer::ops {

struct BitwiseAnd : Binary<BitwiseAnd, kIntegers> {
    static constexpr Facts facts = binary_facts("BitwiseAnd", 18);

    static bool integer(int64_t a, int64_t b, DType, int64_t* out) {
        *out = a & b;
        return true;
    }
};

}  // namespace coffer::ops
