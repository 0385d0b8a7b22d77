// Product over axes. https://onnx.ai/onnx/operators/onnx__ReduceProd.html
#pragma once

#include "coffer/ops/family/reduce.hpp"

namespace coffer::ops {

struct ReduceProd : Reduce<ReduceProd, kFloats | kWideInts> {
    static constexpr Facts facts = reduce_facts("ReduceProd", 18);
    static constexpr Reduction kind = Reduction::kProd;
};

}  // namespace coffer::ops
