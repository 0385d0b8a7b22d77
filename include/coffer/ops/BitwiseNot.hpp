// All bits flipped. https://onnx.ai/onnx/operators/onnx__BitwiseNot.html
#pragma once

#include "coffer/ops/family/unary.hpp"

namespace coffer::ops {

struct BitwiseNot : Unary<BitwiseNot, kIntegers> {
    static constexpr Facts facts = unary_facts("BitwiseNot", 18);

    static int64_t integer(int64_t x, DType) { return ~x; }
};

}  // namespace coffer::ops
