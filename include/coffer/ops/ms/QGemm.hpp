// 8-bit Gemm: alpha A B + C, C int32 at scale alpha * a_scale * b_scale; without y_scale the result is float.
// com.microsoft, see ContribOperators.md of ONNX Runtime.
#pragma once

#include "coffer/ops/family/qlinear_plan.hpp"

namespace coffer::ops::ms {

struct QGemm : QMatMulOp<QGemm> {
    static constexpr AttrSpec attrs[] = {AttrSpec::f("alpha", 1), AttrSpec::i("transA", 0), AttrSpec::i("transB", 0)};
    static constexpr Facts facts{.domain = "com.microsoft",
                                 .name = "QGemm",
                                 .since = 1,
                                 .min_inputs = 6,
                                 .max_inputs = 9,
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
                .y_scale = 7,
                .y_zero = 8,
                .bias = 6,
                .w_transposed = c.attr_i("transB") != 0,
                .x_transposed = c.attr_i("transA") != 0,
                .alpha = c.attr_f("alpha")};
    }
};

}  // namespace coffer::ops::ms
