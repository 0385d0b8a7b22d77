// Sum of squares over axes. https://onnx.ai/onnx/operators/onnx__ReduceSumSquare.html
#pragma once

#include "coffer/ops/family/reduce.hpp"

namespace coffer::ops {

struct ReduceSumSquare : ReduceFast<ReduceSumSquare, kFloats | kWideInts, kernels::SumOfSquares> {
    static constexpr Facts facts = reduce_facts("ReduceSumSquare", 18);
    static constexpr Reduction kind = Reduction::kSumSquare;
};

}  // namespace coffer::ops
