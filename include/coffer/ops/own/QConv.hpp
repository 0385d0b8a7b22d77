// Convolution with 8-bit weights: what passes make of QDQ, QOperator and dynamically quantized patterns.
// Inputs as in QMatMul.hpp, with x (N, C, spatial...), w (M, C / group, kernel...), bias (M); attributes as Conv,
// and activation, activation_params.
#pragma once

#include "coffer/ops/family/qlinear_plan.hpp"

namespace coffer::ops::own {

struct QConv : QConvOp<QConv> {
    static constexpr AttrSpec attrs[] = {AttrSpec::s("auto_pad", "NOTSET"),
                                         AttrSpec::optional("dilations", AttrSpec::kInts),
                                         AttrSpec::i("group", 1),
                                         AttrSpec::optional("kernel_shape", AttrSpec::kInts),
                                         AttrSpec::optional("pads", AttrSpec::kInts),
                                         AttrSpec::optional("strides", AttrSpec::kInts),
                                         AttrSpec::s("activation", ""),
                                         AttrSpec::optional("activation_params", AttrSpec::kFloats)};
    static constexpr Facts facts{.domain = "ai.coffer",
                                 .name = "QConv",
                                 .since = 1,
                                 .min_inputs = 1,
                                 .max_inputs = 10,
                                 .min_outputs = 1,
                                 .max_outputs = 1,
                                 .attrs = attrs,
                                 .layout = LayoutRule::kChannels,
                                 .atol = 1e-6,
                                 .rtol = 1e-6};
    static QRoles roles(const NodeContext&) {
        return {.x = 0,
                .x_scale = 1,
                .x_zero = 2,
                .w = 3,
                .w_scale = 4,
                .w_zero = 5,
                .y_scale = 6,
                .y_zero = 7,
                .bias = 8,
                .table = 9,
                .activation = true};
    }
};

}  // namespace coffer::ops::own
