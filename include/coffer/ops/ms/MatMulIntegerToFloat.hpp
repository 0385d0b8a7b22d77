// Matrix product of 8-bit integers, scaled to float. com.microsoft, see ContribOperators.md of ONNX Runtime.
#pragma once

#include "coffer/ops/family/qlinear_plan.hpp"

namespace coffer::ops::ms {

struct MatMulIntegerToFloat : QMatMulOp<MatMulIntegerToFloat> {
    static constexpr Facts facts{.domain = "com.microsoft",
                                 .name = "MatMulIntegerToFloat",
                                 .since = 1,
                                 .min_inputs = 4,
                                 .max_inputs = 7,
                                 .min_outputs = 1,
                                 .max_outputs = 1,
                                 .atol = 1e-6,
                                 .rtol = 1e-6};
    static QRoles roles(const NodeContext&) {
        return {.x = 0, .x_scale = 2, .x_zero = 4, .w = 1, .w_scale = 3, .w_zero = 5, .bias = 6};
    }
};

}  // namespace coffer::ops::ms
