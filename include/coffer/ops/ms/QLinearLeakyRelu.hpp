// LeakyRelu of an 8-bit tensor. com.microsoft, see ContribOperators.md of ONNX Runtime.
#pragma once

#include "coffer/ops/family/qelementwise.hpp"

namespace coffer::ops::ms {

struct QLinearLeakyRelu : QUnaryOp<QLinearLeakyRelu> {
    static constexpr AttrSpec attrs[] = {AttrSpec::f("alpha", 0.01f)};
    static constexpr Facts facts{.domain = "com.microsoft",
                                 .name = "QLinearLeakyRelu",
                                 .since = 1,
                                 .min_inputs = 4,
                                 .max_inputs = 5,
                                 .min_outputs = 1,
                                 .max_outputs = 1,
                                 .attrs = attrs,
                                 .layout = LayoutRule::kElementwise,
                                 .atol = 0,
                                 .rtol = 0};
    static double real(const NodeContext& c, double x) { return x < 0 ? x * c.attr_f("alpha") : x; }
};

}  // namespace coffer::ops::ms
