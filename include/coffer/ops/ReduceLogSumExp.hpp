// Logarithm of the sum of exponentials over axes. https://onnx.ai/onnx/operators/onnx__ReduceLogSumExp.html
#pragma once

#include "coffer/ops/family/reduce.hpp"

namespace coffer::ops {

struct ReduceLogSumExp : Reduce<ReduceLogSumExp, kFloats> {
    static constexpr Facts facts = reduce_facts("ReduceLogSumExp", 28);
    static constexpr Reduction kind = Reduction::kLogSumExp;
};

}  // namespace coffer::ops
