// Broadcasts to a shape (NumPy rules, both ways). https://onnx.ai/onnx/operators/onnx__Expand.html
#pragma once

#include "coffer/ops/family/move.hpp"

namespace coffer::ops {

struct Expand : FastMoveOp<Expand> {
    static constexpr Facts facts{.domain = "",
                                 .name = "Expand",
                                 .since = 13,
                                 .min_inputs = 2,
                                 .max_inputs = 2,
                                 .min_outputs = 1,
                                 .max_outputs = 1,
                                 .atol = 0,
                                 .rtol = 0};

    static Status move(MoveContext& m) {
        Ints given;
        COFFER_TRY_ASSIGN(const bool known, m.ints(1, &given));
        if (!known) return m.unknown(0, m.dtype(0));
        const Shape& from = m.shape(0);
        Shape target, to;
        if (!Shape::from(given.span(), &target)) return m.fail("bad shape of ", given.n, " dims");
        if (!broadcast(from, target, &to)) return m.fail("cannot broadcast ", from, " to ", target);
        COFFER_TRY(m.output(0, m.dtype(0), to));
        const Strides src = m.src_strides(0), dst = m.dst_strides(0, to);
        Box box;
        for (int i = 0; i < to.rank(); ++i) {
            const int k = i - (to.rank() - from.rank());
            box.loop(to[i], k < 0 || from[k] == 1 ? 0 : src[size_t(k)], dst[size_t(i)]);
        }
        return m.copy(box);
    }
};

}  // namespace coffer::ops
