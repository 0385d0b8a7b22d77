// Largest element over axes. https://onnx.ai/onnx/operators/onnx__ReduceMax.html
#pragma once

#include "coffer/ops/family/reduce.hpp"

namespace coffer::ops {

struct ReduceMax
    : ReduceFast<ReduceMax, kFloats | kWideInts | kBools | types(DType::kInt8, DType::kUint8), kernels::Largest> {
    static constexpr Facts facts = reduce_facts("ReduceMax", 20);
    static constexpr Reduction kind = Reduction::kMax;
};

}  // namespace coffer::ops
