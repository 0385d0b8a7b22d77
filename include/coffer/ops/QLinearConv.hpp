// Convolution of 8-bit integers, requantized. https://onnx.ai/onnx/operators/onnx__QLinearConv.html
#pragma once

#include "coffer/ops/family/qlinear_plan.hpp"

namespace coffer::ops {

struct QLinearConv : QConvOp<QLinearConv> {
    static constexpr Facts facts{.domain = "",
                                 .name = "QLinearConv",
                                 .since = 10,
                                 .min_inputs = 8,
                                 .max_inputs = 9,
                                 .min_outputs = 1,
                                 .max_outputs = 1,
                                 .attrs = kQConvAttrs,
                                 .layout = LayoutRule::kChannels,
                                 .atol = 0,
                                 .rtol = 0};
    static QRoles roles(const NodeContext&) {
        return {.x = 0,
                .x_scale = 1,
                .x_zero = 2,
                .w = 3,
                .w_scale = 4,
                .w_zero = 5,
                .y_scale = 6,
                .y_zero = 7,
                .bias = 8};
    }
};

}  // namespace coffer::ops
