// Permutes the axes; without `perm` reverses them. https://onnx.ai/onnx/operators/onnx__Transpose.html
#pragma once

#include "coffer/ops/family/move.hpp"

namespace coffer::ops {

struct Transpose : FastMoveOp<Transpose> {
    static constexpr AttrSpec attrs[] = {AttrSpec::optional("perm", AttrSpec::kInts)};
    static constexpr Facts facts{.domain = "",
                                 .name = "Transpose",
                                 .since = 25,
                                 .min_inputs = 1,
                                 .max_inputs = 1,
                                 .min_outputs = 1,
                                 .max_outputs = 1,
                                 .attrs = attrs,
                                 .atol = 0,
                                 .rtol = 0};

    static Status move(MoveContext& m) {
        const Shape& from = m.shape(0);
        const int rank = from.rank();
        const auto given = m.node().attr_ints("perm");
        if (!given.empty() && static_cast<int>(given.size()) != rank) {
            return m.fail("perm has ", given.size(), " axes, the input has rank ", rank);
        }
        COFFER_TRY_ASSIGN(Ints perm, m.axes(given, rank));
        if (given.empty()) {
            for (int i = 0; i < rank; ++i) perm.v[i] = rank - 1 - i;
        }
        Shape to;
        for (int i = 0; i < rank; ++i) to.push_back(from[int(perm[i])]);
        COFFER_TRY(m.output(0, m.dtype(0), to));
        const Strides src = m.src_strides(0), dst = m.dst_strides(0, to);
        Box box;
        for (int i = 0; i < rank; ++i) box.loop(to[i], src[size_t(perm[i])], dst[size_t(i)]);
        return m.copy(box);
    }
};

}  // namespace coffer::ops
