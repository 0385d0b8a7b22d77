// Product of a float matrix, quantized on the way, and 8-bit weights. com.microsoft, see ContribOperators.md of
// ONNX Runtime.
#pragma once

#include "coffer/ops/family/qlinear_plan.hpp"

namespace coffer::ops::ms {

struct DynamicQuantizeMatMul : QMatMulOp<DynamicQuantizeMatMul> {
    static constexpr Facts facts{.domain = "com.microsoft",
                                 .name = "DynamicQuantizeMatMul",
                                 .since = 1,
                                 .min_inputs = 3,
                                 .max_inputs = 5,
                                 .min_outputs = 1,
                                 .max_outputs = 1,
                                 .atol = 1e-6,
                                 .rtol = 1e-6};
    static QRoles roles(const NodeContext&) {
        return {.x = 0, .x_scale = kNone, .w = 1, .w_scale = 2, .w_zero = 3, .bias = 4};
    }

 private:
    static constexpr int kNone = 1 << 10;  // an input that no node has: x is quantized dynamically
};

}  // namespace coffer::ops::ms
