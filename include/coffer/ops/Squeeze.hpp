// Removes dims of 1: those in `axes`, or all. https://onnx.ai/onnx/operators/onnx__Squeeze.html
#pragma once

#include "coffer/ops/family/move.hpp"

namespace coffer::ops {

struct Squeeze : FastMoveOp<Squeeze> {
    static constexpr Facts facts{.domain = "",
                                 .name = "Squeeze",
                                 .since = 25,
                                 .min_inputs = 1,
                                 .max_inputs = 2,
                                 .min_outputs = 1,
                                 .max_outputs = 1,
                                 .atol = 0,
                                 .rtol = 0,
                                 .inplace_input = 0,
                                 .view = true};

    static Status move(MoveContext& m) {
        const Shape& from = m.shape(0);
        unsigned drop = 0;
        if (m.has_input(1)) {
            Ints given;
            COFFER_TRY_ASSIGN(const bool known, m.ints(1, &given));
            if (!known) return m.unknown(0, m.dtype(0));
            COFFER_TRY_ASSIGN(const Ints axes, m.axes(given.span(), from.rank()));
            for (int64_t a : axes.span()) {
                if (from[int(a)] != 1) return m.fail("dim ", a, " of ", from, " is not 1");
                drop |= 1u << a;
            }
        }
        Shape to;
        for (int i = 0; i < from.rank(); ++i) {
            if (m.has_input(1) ? !(drop >> i & 1) : from[i] != 1) to.push_back(from[i]);
        }
        COFFER_TRY(m.output(0, m.dtype(0), to));
        return m.copy_all(0);
    }
};

}  // namespace coffer::ops
