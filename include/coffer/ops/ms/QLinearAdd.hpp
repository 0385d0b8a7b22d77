// Sum of two 8-bit tensors. com.microsoft, see ContribOperators.md of ONNX Runtime.
#pragma once

#include "coffer/ops/family/qelementwise.hpp"

namespace coffer::ops::ms {

struct QLinearAdd : QBinaryOp<QLinearAdd> {
    static constexpr Facts facts{.domain = "com.microsoft",
                                 .name = "QLinearAdd",
                                 .since = 1,
                                 .min_inputs = 7,
                                 .max_inputs = 8,
                                 .min_outputs = 1,
                                 .max_outputs = 1,
                                 .layout = LayoutRule::kElementwise,
                                 .atol = 0,
                                 .rtol = 0};
    static constexpr kernels::QBinary kOp = kernels::QBinary::kAdd;
};

}  // namespace coffer::ops::ms
