// Logarithm of the sum over axes. https://onnx.ai/onnx/operators/onnx__ReduceLogSum.html
#pragma once

#include "coffer/ops/family/reduce.hpp"

namespace coffer::ops {

struct ReduceLogSum : Reduce<ReduceLogSum, kFloats> {
    static constexpr Facts facts = reduce_facts("ReduceLogSum", 28);
    static constexpr Reduction kind = Reduction::kLogSum;
};

}  // namespace coffer::ops
