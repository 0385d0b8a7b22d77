// Keeps the slices along `axis` (or, without it, the elements) whose condition is true.
// https://onnx.ai/onnx/operators/onnx__Compress.html
#pragma once

#include "coffer/ops/family/move.hpp"

namespace coffer::ops {

struct Compress : MoveOp<Compress> {
    static constexpr AttrSpec attrs[] = {AttrSpec::optional("axis", AttrSpec::kInt)};
    static constexpr Facts facts{.domain = "",
                                 .name = "Compress",
                                 .since = 28,
                                 .min_inputs = 2,
                                 .max_inputs = 2,
                                 .min_outputs = 1,
                                 .max_outputs = 1,
                                 .attrs = attrs,
                                 .atol = 0,
                                 .rtol = 0};

    static Status move(MoveContext& m) {
        const Shape& from = m.shape(0);
        const bool flat = !m.node().has_attr("axis");
        int axis = 0;
        if (!flat) {
            COFFER_TRY_ASSIGN(axis, m.axis(m.node().attr_i("axis"), from.rank()));
        }
        const int64_t dim = flat ? from.elements() : from[axis];
        if (m.dtype(1) != DType::kBool || m.shape(1).rank() != 1)
            return m.fail("condition is ", m.dtype(1), " ", m.shape(1));
        const TensorView* condition = m.value(1);
        if (!condition) return m.unknown(0, m.dtype(0));
        const int64_t n = m.shape(1)[0];
        int64_t kept = 0;
        for (int64_t i = 0; i < n; ++i) kept += load_int(*condition, i);
        for (int64_t i = dim; i < n; ++i) {
            if (load_int(*condition, i)) return m.fail("condition[", i, "] is outside ", dim);
        }
        Shape to = flat ? Shape{kept} : from;
        to[axis] = kept;
        COFFER_TRY(m.output(0, m.dtype(0), to));
        if (!m.running()) return {};
        const int64_t outer = flat ? 1 : from.elements(0, axis);
        const int64_t inner = flat ? 1 : from.elements(axis + 1, from.rank());
        for (int64_t o = 0, at = 0; o < outer; ++o) {
            for (int64_t i = 0; i < std::min(n, dim); ++i) {
                if (!load_int(*condition, i)) continue;
                copy_elements(m.result(0), at, 1, *m.value(0), (o * dim + i) * inner, 1, inner);
                at += inner;
            }
        }
        return {};
    }
};

}  // namespace coffer::ops
