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
        Shape to{0, 0};
        if (!product(m.shape(0).dims().first(static_cast<size_t>(axis)), &to[0]) ||
            !product(m.shape(0).dims().subspan(static_cast<size_t>(axis)), &to[1])) {
            return m.fail("input ", m.shape(0), " is too large at axis ", given);
        }
        COFFER_TRY(m.output(0, m.dtype(0), to));
        return m.copy_all(0);
    }

 private:
    // Beside a 0 in the other part, dims may be of any size.
    static bool product(std::span<const int64_t> dims, int64_t* out) {
        *out = std::ranges::find(dims, 0) == dims.end() ? 1 : 0;
        return *out == 0 || std::ranges::all_of(dims, [&](int64_t d) { return checked_mul(*out, d, out); });
    }
};

}  // namespace coffer::ops
