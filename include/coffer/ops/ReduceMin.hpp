// Smallest element over axes. https://onnx.ai/onnx/operators/onnx__ReduceMin.html
#pragma once

#include "coffer/ops/family/reduce.hpp"

namespace coffer::ops {

struct ReduceMin
    : ReduceFast<ReduceMin, kFloats | kWideInts | kBools | types(DType::kInt8, DType::kUint8), kernels::Smallest> {
    static constexpr Facts facts = reduce_facts("ReduceMin", 20);
    static constexpr Reduction kind = Reduction::kMin;
};

}  // namespace coffer::ops
