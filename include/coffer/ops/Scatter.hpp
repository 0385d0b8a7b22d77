// The deprecated name of ScatterElements without a reduction. https://onnx.ai/onnx/operators/onnx__Scatter.html
#pragma once

#include "coffer/ops/family/scatter.hpp"

namespace coffer::ops {

struct Scatter : MoveOp<Scatter> {
    static constexpr AttrSpec attrs[] = {AttrSpec::i("axis", 0)};
    static constexpr Facts facts{.domain = "",
                                 .name = "Scatter",
                                 .since = 11,
                                 .min_inputs = 3,
                                 .max_inputs = 3,
                                 .min_outputs = 1,
                                 .max_outputs = 1,
                                 .attrs = attrs,
                                 .atol = 0,
                                 .rtol = 0,
                                 .inplace_input = 0};

    static Status move(MoveContext& m) { return scatter_by_element(m, ScatterReduction::kNone); }
};

}  // namespace coffer::ops
