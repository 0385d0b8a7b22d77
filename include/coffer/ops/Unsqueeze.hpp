// Inserts dims of 1 at `axes` of the output. https://onnx.ai/onnx/operators/onnx__Unsqueeze.html
#pragma once

#include "coffer/ops/family/move.hpp"

namespace coffer::ops {

struct Unsqueeze : FastMoveOp<Unsqueeze> {
    static constexpr Facts facts{.domain = "",
                                 .name = "Unsqueeze",
                                 .since = 25,
                                 .min_inputs = 2,
                                 .max_inputs = 2,
                                 .min_outputs = 1,
                                 .max_outputs = 1,
                                 .atol = 0,
                                 .rtol = 0,
                                 .inplace_input = 0,
                                 .view = true};

    static Status move(MoveContext& m) {
        Ints given;
        COFFER_TRY_ASSIGN(const bool known, m.ints(1, &given));
        const int rank = m.rank(0) + given.n;
        if (rank > kMaxRank) return m.fail("rank ", rank, " is over ", kMaxRank);
        if (!known) return m.unknown(0, m.dtype(0));
        COFFER_TRY_ASSIGN(const Ints axes, m.axes(given.span(), rank));
        unsigned inserted = 0;
        for (int64_t a : axes.span()) inserted |= 1u << a;
        Shape to;
        int next = 0;
        for (int i = 0; i < rank; ++i) to.push_back(inserted >> i & 1 ? 1 : m.shape(0)[next++]);
        COFFER_TRY(m.output(0, m.dtype(0), to));
        return m.copy_all(0);
    }
};

}  // namespace coffer::ops
