// values[1] where an index points, values[0] elsewhere, on a new axis of `depth`.
// https://onnx.ai/onnx/operators/onnx__OneHot.html
#pragma once

#include "coffer/ops/family/move.hpp"

namespace coffer::ops {

struct OneHot : MoveOp<OneHot> {
    static constexpr AttrSpec attrs[] = {AttrSpec::i("axis", -1)};
    static constexpr Facts facts{.domain = "",
                                 .name = "OneHot",
                                 .since = 28,
                                 .min_inputs = 3,
                                 .max_inputs = 3,
                                 .min_outputs = 1,
                                 .max_outputs = 1,
                                 .attrs = attrs,
                                 .atol = 0,
                                 .rtol = 0};

    static Status move(MoveContext& m) {
        const Shape& places = m.shape(0);
        for (size_t i = 0; i < 2; ++i) {
            if (!is_integer(m.dtype(i)) && !is_floating(m.dtype(i))) return m.fail("input ", i, " is ", m.dtype(i));
        }
        if (m.shape(1).elements() != 1) return m.fail("depth has shape ", m.shape(1), ", not one element");
        if (m.shape(2) != Shape{2}) return m.fail("values has shape ", m.shape(2), ", not (2)");
        if (places.rank() == kMaxRank) return m.fail("indices have rank ", kMaxRank, " already");
        COFFER_TRY_ASSIGN(const int axis, m.axis(m.node().attr_i("axis"), places.rank() + 1));
        if (!m.value(1)) return m.unknown(0, m.dtype(2));
        const int64_t depth = load_int(*m.value(1), 0);
        if (depth < 0) return m.fail("depth ", depth);
        Shape to;
        for (int i = 0; i <= places.rank(); ++i) to.push_back(i == axis ? depth : places[i < axis ? i : i - 1]);
        COFFER_TRY(m.output(0, m.dtype(2), to));
        if (!m.running()) return {};
        const TensorView& values = *m.value(2);
        fill_elements(m.result(0), 0, to.elements(), values);
        const int64_t inner = places.elements(axis, places.rank());
        for (int64_t i = 0; i < places.elements(); ++i) {
            int64_t at = load_int(*m.value(0), i);
            if (at < 0) at += depth;  // outside [-depth, depth - 1] every element is the off value
            if (at < 0 || at >= depth) continue;
            copy_elements(m.result(0), (i / inner * depth + at) * inner + i % inner, 1, values, 1, 1, 1);
        }
        return {};
    }
};

}  // namespace coffer::ops
