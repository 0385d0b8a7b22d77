// Cuts a tensor along an axis: by the sizes in `split`, or into `num_outputs` parts of which only the last may
// be smaller. https://onnx.ai/onnx/operators/onnx__Split.html
#pragma once

#include "coffer/ops/family/move.hpp"

namespace coffer::ops {

struct Split : FastMoveOp<Split> {
    static constexpr AttrSpec attrs[] = {AttrSpec::i("axis", 0), AttrSpec::optional("num_outputs", AttrSpec::kInt)};
    static constexpr Facts facts{.domain = "",
                                 .name = "Split",
                                 .since = 18,
                                 .min_inputs = 1,
                                 .max_inputs = 2,
                                 .min_outputs = 1,
                                 .max_outputs = kVariadic,
                                 .attrs = attrs,
                                 .layout = LayoutRule::kAxis,
                                 .atol = 0,
                                 .rtol = 0};

    static Status move(MoveContext& m) {
        const Shape& from = m.shape(0);
        const auto count = static_cast<int64_t>(m.node().output_count());
        COFFER_TRY_ASSIGN(const int axis, m.axis(m.node().attr_i("axis"), from.rank()));
        const TensorView* sizes = nullptr;
        if (m.has_input(1)) {
            if (!is_integer(m.dtype(1)) || m.shape(1) != Shape{count}) {
                return m.fail("split is ", m.dtype(1), " ", m.shape(1), " for ", count, " outputs");
            }
            sizes = m.value(1);
            if (!sizes) {
                for (size_t i = 0; i < static_cast<size_t>(count); ++i) COFFER_TRY(m.unknown(i, m.dtype(0)));
                return {};
            }
        }
        const int64_t wanted = m.node().has_attr("num_outputs") ? m.node().attr_i("num_outputs") : count;
        if (!sizes && wanted != count) return m.fail("num_outputs is ", wanted, ", the node has ", count);
        const int64_t even = from[axis] / count + (from[axis] % count != 0);
        const Strides src = m.src_strides(0);
        int64_t offset = 0;
        for (int64_t i = 0; i < count; ++i) {
            const int64_t left = from[axis] - offset;
            const int64_t n = sizes ? load_int(*sizes, i) : std::min(even, left);
            const bool last = i + 1 == count;
            if (n < 0 || n > left || (last && n != left)) {
                return m.fail("part ", i, " of ", n, " does not divide axis ", axis, " of ", from);
            }
            Shape to = from;
            to[axis] = n;
            const auto out = static_cast<size_t>(i);
            COFFER_TRY(m.output(out, m.dtype(0), to));
            const Strides dst = m.dst_strides(out, to);
            Box box;
            box.output = out;
            box.src_offset = offset * src[size_t(axis)];
            for (int k = 0; k < to.rank(); ++k) box.loop(to[k], src[size_t(k)], dst[size_t(k)]);
            COFFER_TRY(m.copy(box));
            offset += n;
        }
        return {};
    }
};

}  // namespace coffer::ops
