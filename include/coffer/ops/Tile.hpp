// Repeats the tensor `repeats` times along each axis. https://onnx.ai/onnx/operators/onnx__Tile.html
#pragma once

#include "coffer/ops/family/move.hpp"

namespace coffer::ops {

struct Tile : FastMoveOp<Tile> {
    static constexpr Facts facts{.domain = "",
                                 .name = "Tile",
                                 .since = 13,
                                 .min_inputs = 2,
                                 .max_inputs = 2,
                                 .min_outputs = 1,
                                 .max_outputs = 1,
                                 .atol = 0,
                                 .rtol = 0};

    static Status move(MoveContext& m) {
        const Shape& from = m.shape(0);
        Ints repeats;
        COFFER_TRY_ASSIGN(const bool known, m.ints(1, &repeats));
        if (repeats.n != from.rank()) return m.fail(repeats.n, " repeats for rank ", from.rank());
        if (!known) return m.unknown(0, m.dtype(0));
        Shape to = from;
        for (int i = 0; i < from.rank(); ++i) {
            if (repeats[i] < 0 || !checked_mul(from[i], repeats[i], &to[i])) {
                return m.fail("cannot repeat dim ", from[i], " ", repeats[i], " times");
            }
        }
        COFFER_TRY(m.output(0, m.dtype(0), to));
        const Strides src = m.src_strides(0), dst = m.dst_strides(0, to);
        Box box;
        for (int i = 0; i < from.rank(); ++i) {
            box.loop(repeats[i], 0, dst[size_t(i)] * from[i]);
            box.loop(from[i], src[size_t(i)], dst[size_t(i)]);
        }
        return m.copy(box);
    }
};

}  // namespace coffer::ops
