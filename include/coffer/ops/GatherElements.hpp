// out[i][j] = data[index[i][j]][j] for axis 0, likewise for others.
// https://onnx.ai/onnx/operators/onnx__GatherElements.html
#pragma once

#include "coffer/ops/family/scatter.hpp"

namespace coffer::ops {

struct GatherElements : MoveOp<GatherElements> {
    static constexpr AttrSpec attrs[] = {AttrSpec::i("axis", 0)};
    static constexpr Facts facts{.domain = "",
                                 .name = "GatherElements",
                                 .since = 13,
                                 .min_inputs = 2,
                                 .max_inputs = 2,
                                 .min_outputs = 1,
                                 .max_outputs = 1,
                                 .attrs = attrs,
                                 .atol = 0,
                                 .rtol = 0};

    static Status move(MoveContext& m) {
        COFFER_TRY_ASSIGN(const int axis, check_elements(m, m.shape(1)));
        COFFER_TRY(m.output(0, m.dtype(0), m.shape(1)));
        if (!m.running()) return {};
        return each_element(m, axis,
                            [&](int64_t i, int64_t at) { copy_elements(m.result(0), i, 1, *m.value(0), at, 1, 1); });
    }
};

}  // namespace coffer::ops
