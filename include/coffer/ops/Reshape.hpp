// The same elements under another shape; 0 keeps a dim (unless allowzero), one -1 is worked out.
// https://onnx.ai/onnx/operators/onnx__Reshape.html
#pragma once

#include "coffer/ops/family/move.hpp"

namespace coffer::ops {

struct Reshape : FastMoveOp<Reshape> {
    static constexpr AttrSpec attrs[] = {AttrSpec::i("allowzero", 0)};
    static constexpr Facts facts{.domain = "",
                                 .name = "Reshape",
                                 .since = 25,
                                 .min_inputs = 2,
                                 .max_inputs = 2,
                                 .min_outputs = 1,
                                 .max_outputs = 1,
                                 .attrs = attrs,
                                 .atol = 0,
                                 .rtol = 0,
                                 .inplace_input = 0,
                                 .view = true};

    static Status move(MoveContext& m) {
        Ints wanted;
        COFFER_TRY_ASSIGN(const bool known, m.ints(1, &wanted));
        if (!known) return m.unknown(0, m.dtype(0));
        if (wanted.n > kMaxRank) return m.fail("rank ", wanted.n, " is over ", kMaxRank);
        const Shape& from = m.shape(0);
        Shape to;
        int infer_axis = -1;
        int64_t rest = 1;
        for (int i = 0; i < wanted.n; ++i) {
            int64_t d = wanted[i];
            if (d == 0 && !m.node().attr_i("allowzero")) {
                if (i >= from.rank()) return m.fail("dim ", i, " is copied from a shape of rank ", from.rank());
                d = from[i];
            }
            if (d < -1 || (d == -1 && infer_axis >= 0)) return m.fail("bad dim ", d, " at ", i);
            if (d == -1) infer_axis = i;
            to.push_back(d == -1 ? 1 : d);
            if (!checked_mul(rest, to[i], &rest)) return m.fail("shape ", to, " is too large");
        }
        const int64_t total = from.elements();
        if (infer_axis >= 0) {
            if (rest == 0 || total % rest != 0) return m.fail("cannot bring ", from, " to multiples of ", rest);
            to[infer_axis] = total / rest;
        } else if (rest != total) {
            return m.fail("cannot bring ", from, " to ", to);
        }
        COFFER_TRY(m.output(0, m.dtype(0), to));
        return m.copy_all(0);
    }
};

}  // namespace coffer::ops
