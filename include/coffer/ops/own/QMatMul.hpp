// Matrix product with 8-bit weights: what passes make of QDQ, QOperator and dynamically quantized patterns.
//
// Inputs  0 x             u8 or s8; float32 when x_scale is absent, then quantized per tensor inside, as by
//                         DynamicQuantizeLinear
//         1 x_scale       float32 scalar
//         2 x_zero_point  as x; 0 when absent
//         3 w             u8 or s8, (..., K, N), or (N, K) with w_transposed
//         4 w_scale       float32, one or N
//         5 w_zero_point  as w, one or N; 0 when absent
//         6 y_scale       float32 scalar; when absent the result is float32
//         7 y_zero_point  u8 or s8, gives the result's type; u8 0 when absent
//         8 bias          broadcast to the result. int32: at scale x_scale * w_scale, added to the sums.
//                         float32: only for a float32 result, added after scaling
//         9 table         256 x u8 or s8: the result's byte b is replaced by table[b] (b read as unsigned), which
//                         is how any activation between two quantizations is fused
// Attributes: activation and activation_params as in FusedMatMul. Relu and Clip act on the real value, before
// quantization; a quantized result takes no others. w_transposed as above.
#pragma once

#include "coffer/ops/family/qlinear_plan.hpp"

namespace coffer::ops::own {

struct QMatMul : QMatMulOp<QMatMul> {
    static constexpr AttrSpec attrs[] = {AttrSpec::s("activation", ""),
                                         AttrSpec::optional("activation_params", AttrSpec::kFloats),
                                         AttrSpec::i("w_transposed", 0)};
    static constexpr Facts facts{.domain = "ai.coffer",
                                 .name = "QMatMul",
                                 .since = 1,
                                 .min_inputs = 1,
                                 .max_inputs = 10,
                                 .min_outputs = 1,
                                 .max_outputs = 1,
                                 .attrs = attrs,
                                 .atol = 1e-6,
                                 .rtol = 1e-6};
    static QRoles roles(const NodeContext& c) {
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
                .w_transposed = c.attr_i("w_transposed") != 0,
                .activation = true};
    }
};

}  // namespace coffer::ops::own
