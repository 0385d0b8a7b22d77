// Convolution of 8-bit integers, the sums as int32. https://onnx.ai/onnx/operators/onnx__ConvInteger.html
#pragma once

#include "coffer/ops/family/qlinear_plan.hpp"

namespace coffer::ops {

struct ConvInteger : QConvOp<ConvInteger> {
    static constexpr Facts facts{.domain = "",
                                 .name = "ConvInteger",
                                 .since = 10,
                                 .min_inputs = 2,
                                 .max_inputs = 4,
                                 .min_outputs = 1,
                                 .max_outputs = 1,
                                 .attrs = kQConvAttrs,
                                 .layout = LayoutRule::kChannels,
                                 .atol = 0,
                                 .rtol = 0};
    static QRoles roles(const NodeContext&) { return {.x = 0, .x_zero = 2, .w = 1, .w_zero = 3}; }
};

}  // namespace coffer::ops
