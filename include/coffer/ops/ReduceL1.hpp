// Sum of magnitudes over axes. https://onnx.ai/onnx/operators/onnx__ReduceL1.html
#pragma once

#include "coffer/ops/family/reduce.hpp"

namespace coffer::ops {

struct ReduceL1 : ReduceFast<ReduceL1, kFloats | kWideInts, kernels::SumOfMagnitudes> {
    static constexpr Facts facts = reduce_facts("ReduceL1", 18);
    static constexpr Reduction kind = Reduction::kL1;
};

}  // namespace coffer::ops
