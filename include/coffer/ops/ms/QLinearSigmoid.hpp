// Sigmoid of an 8-bit tensor. com.microsoft, see ContribOperators.md of ONNX Runtime.
#pragma once

#include "coffer/ops/family/qelementwise.hpp"

namespace coffer::ops::ms {

struct QLinearSigmoid : QUnaryOp<QLinearSigmoid> {
    static constexpr Facts facts{.domain = "com.microsoft",
                                 .name = "QLinearSigmoid",
                                 .since = 1,
                                 .min_inputs = 4,
                                 .max_inputs = 5,
                                 .min_outputs = 1,
                                 .max_outputs = 1,
                                 .layout = LayoutRule::kElementwise,
                                 .atol = 0,
                                 .rtol = 0};
    static double real(const NodeContext&, double x) { return 1 / (1 + std::exp(-x)); }
};

}  // namespace coffer::ops::ms
