// To a matrix: the dims before `axis` and those from it on. https://onnx.ai/onnx/operators/onnx__Flatten.html
#pragma once

#include "coffer/ops/family/move.hpp"

namespace coffer::ops {

struct Flatten : FastMoveOp<Flatten> {
    static constexpr AttrSpec attrs[] = {AttrSpec::i("axis", 1)};
    static constexpr Facts facts{.domain = "",
                                 .name = "Flatten",
                                 .since = 25,
                                 .min_inputs = 1,
                                 .max_inputs = 1,
                                 .min_outputs = 1,
                                 .max_outputs = 1,
                                 .attrs = attrs,
                                 .atol = 0,
                                 .rtol = 0,
                                 .inplace_input = 0,
                                 .view = true};

    static Status move(MoveContext& m) {
        const int64_t given = m.node().attr_i("axis");
        const int rank = m.rank(0);
        if (given < -rank || given > rank) return m.fail("axis ", given, " is outside rank ", rank);
        const int axis = static_cast<int>(given < 0 ? given + rank : given);
        COFFER_TRY(m.output(0, m.dtype(0), Shape{m.shape(0).elements(0, axis), m.shape(0).elements(axis, rank)}));
        return m.copy_all(0);
    }
};

}  // namespace coffer::ops
