// data with single elements replaced (or added, ...) by index along an axis.
// https://onnx.ai/onnx/operators/onnx__ScatterElements.html
#pragma once

#include "coffer/ops/family/scatter.hpp"

namespace coffer::ops {

struct ScatterElements : MoveOp<ScatterElements> {
    static constexpr AttrSpec attrs[] = {AttrSpec::i("axis", 0), AttrSpec::s("reduction", "none")};
    static constexpr Facts facts{.domain = "",
                                 .name = "ScatterElements",
                                 .since = 18,
                                 .min_inputs = 3,
                                 .max_inputs = 3,
                                 .min_outputs = 1,
                                 .max_outputs = 1,
                                 .attrs = attrs,
                                 .inplace_input = 0};

    static Status move(MoveContext& m) {
        COFFER_TRY_ASSIGN(const ScatterReduction how, scatter_reduction(m));
        return scatter_by_element(m, how);
    }
};

}  // namespace coffer::ops
