// Sum over axes. https://onnx.ai/onnx/operators/onnx__ReduceSum.html
#pragma once

#include "coffer/ops/family/reduce.hpp"

namespace coffer::ops {

struct ReduceSum : ReduceFast<ReduceSum, kFloats | kWideInts, kernels::SumOf> {
    static constexpr Facts facts = reduce_facts("ReduceSum", 13);
    static constexpr Reduction kind = Reduction::kSum;
};

}  // namespace coffer::ops
