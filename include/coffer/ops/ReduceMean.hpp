// Mean over axes. https://onnx.ai/onnx/operators/onnx__ReduceMean.html
#pragma once

#include "coffer/ops/family/reduce.hpp"

namespace coffer::ops {

struct ReduceMean : ReduceFast<ReduceMean, kFloats | kWideInts, kernels::SumOf> {
    static constexpr Facts facts = reduce_facts("ReduceMean", 18);
    static constexpr Reduction kind = Reduction::kMean;
};

}  // namespace coffer::ops
