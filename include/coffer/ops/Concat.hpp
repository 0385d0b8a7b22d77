// Joins tensors along an axis. https://onnx.ai/onnx/operators/onnx__Concat.html
#pragma once

#include "coffer/ops/family/move.hpp"

namespace coffer::ops {

struct Concat : FastMoveOp<Concat> {
    static constexpr AttrSpec attrs[] = {AttrSpec::must("axis", AttrSpec::kInt)};
    static constexpr Facts facts{.domain = "",
                                 .name = "Concat",
                                 .since = 13,
                                 .min_inputs = 1,
                                 .max_inputs = kVariadic,
                                 .min_outputs = 1,
                                 .max_outputs = 1,
                                 .attrs = attrs,
                                 .layout = LayoutRule::kAxis,
                                 .atol = 0,
                                 .rtol = 0};

    static Status move(MoveContext& m) {
        const size_t count = m.node().input_count();
        Shape to = m.shape(0);
        COFFER_TRY_ASSIGN(const int axis, m.axis(m.node().attr_i("axis"), to.rank()));
        for (size_t i = 1; i < count; ++i) {
            if (!m.has_input(i)) return m.fail("input ", i, " is missing");
            Shape part = m.shape(i);
            if (m.dtype(i) != m.dtype(0)) return m.fail("input ", i, " is ", m.dtype(i), ", not ", m.dtype(0));
            if (part.rank() != to.rank()) return m.fail("ranks differ: ", m.shape(0), " and ", part);
            const int64_t n = part[axis];
            part[axis] = to[axis];
            if (part != to) return m.fail("input ", i, " ", m.shape(i), " does not fit ", m.shape(0));
            if (!checked_add(to[axis], n, &to[axis])) return m.fail("axis ", axis, " grows too large");
        }
        COFFER_TRY(m.output(0, m.dtype(0), to));
        const Strides dst = m.dst_strides(0, to);
        int64_t offset = 0;
        for (size_t i = 0; i < count; ++i) {
            const Strides src = m.src_strides(i);
            Box box;
            box.input = static_cast<int>(i);
            box.dst_offset = offset * dst[size_t(axis)];
            for (int k = 0; k < to.rank(); ++k) box.loop(m.shape(i)[k], src[size_t(k)], dst[size_t(k)]);
            COFFER_TRY(m.copy(box));
            offset += m.shape(i)[axis];
        }
        return {};
    }
};

}  // namespace coffer::ops
