// Square root of the sum of squares over axes. https://onnx.ai/onnx/operators/onnx__ReduceL2.html
#pragma once

#include "coffer/ops/family/reduce.hpp"

namespace coffer::ops {

struct ReduceL2 : ReduceFast<ReduceL2, kFloats | kWideInts, kernels::SumOfSquares> {
    static constexpr Facts facts = reduce_facts("ReduceL2", 18);
    static constexpr Reduction kind = Reduction::kL2;
};

}  // namespace coffer::ops
