// Matrix product of 8-bit integers (or 8-bit floats), requantized.
// https://onnx.ai/onnx/operators/onnx__QLinearMatMul.html
#pragma once

#include "coffer/ops/family/qlinear_plan.hpp"

namespace coffer::ops {

struct QLinearMatMul : QMatMulOp<QLinearMatMul> {
    static constexpr Facts facts{.domain = "",
                                 .name = "QLinearMatMul",
                                 .since = 21,
                                 .min_inputs = 8,
                                 .max_inputs = 8,
                                 .min_outputs = 1,
                                 .max_outputs = 1,
                                 .atol = 0,
                                 .rtol = 0};
    static QRoles roles(const NodeContext&) {
        return {.x = 0, .x_scale = 1, .x_zero = 2, .w = 3, .w_scale = 4, .w_zero = 5, .y_scale = 6, .y_zero = 7};
    }

    static Status infer(InferContext& c) {
        return q_matmul_infer(c, roles(c), kQBytes | kFloat8s,
                              types(DType::kFloat, DType::kFloat16, DType::kBfloat16));
    }
};

}  // namespace coffer::ops
