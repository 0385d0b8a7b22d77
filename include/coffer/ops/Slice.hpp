// starts, ends, steps along axes, as NumPy slices. https://onnx.ai/onnx/operators/onnx__Slice.html
#pragma once

#include "coffer/ops/family/move.hpp"

namespace coffer::ops {

struct Slice : FastMoveOp<Slice> {
    static constexpr Facts facts{.domain = "",
                                 .name = "Slice",
                                 .since = 13,
                                 .min_inputs = 3,
                                 .max_inputs = 5,
                                 .min_outputs = 1,
                                 .max_outputs = 1,
                                 .layout = LayoutRule::kAxis,
                                 .atol = 0,
                                 .rtol = 0};

    static Status move(MoveContext& m) {
        const Shape& from = m.shape(0);
        Ints list[4];  // starts, ends, axes, steps
        bool known = true;
        for (size_t i = 0; i < 4; ++i) {
            if (!m.has_input(i + 1)) continue;
            COFFER_TRY_ASSIGN(const bool one, m.ints(i + 1, &list[i]));
            known = known && one;
            if (list[i].n != list[0].n)
                return m.fail("input ", i + 1, " has ", list[i].n, " entries, starts ", list[0].n);
        }
        auto& [starts, ends, axes, steps] = list;
        if (starts.n > from.rank()) return m.fail(starts.n, " axes for rank ", from.rank());
        if (!known) return m.unknown(0, m.dtype(0));
        if (!m.has_input(3)) {
            for (axes.n = 0; axes.n < starts.n; ++axes.n) axes.v[axes.n] = axes.n;
        }
        COFFER_TRY_ASSIGN(axes, m.axes(axes.span(), from.rank()));
        Shape to = from;
        const Strides src = m.src_strides(0);
        Strides step = src;
        Box box;
        for (int i = 0; i < axes.n; ++i) {
            const int a = static_cast<int>(axes[i]);
            const int64_t dim = from[a], by = m.has_input(4) ? steps[i] : 1;
            if (by == 0) return m.fail("step 0 on axis ", a);
            // A start clamps to [0, dim] going up and to [-1, dim - 1] going down, an end likewise.
            const int64_t low = by > 0 ? 0 : -1, high = by > 0 ? dim : dim - 1;
            const auto place = [&](int64_t x) { return x < -dim ? low : std::clamp(x < 0 ? x + dim : x, low, high); };
            const int64_t begin = place(starts[i]), end = place(ends[i]);
            const int64_t distance = by > 0 ? end - begin : begin - end;
            const uint64_t stride = by > 0 ? uint64_t(by) : -uint64_t(by);
            to[a] = distance <= 0 ? 0 : static_cast<int64_t>((uint64_t(distance) - 1) / stride + 1);
            // With one element or none the step is never taken; it may be too large to multiply.
            step[size_t(a)] = to[a] > 1 ? by * src[size_t(a)] : 0;
            if (to[a] > 0) box.src_offset += begin * src[size_t(a)];
        }
        COFFER_TRY(m.output(0, m.dtype(0), to));
        const Strides dst = m.dst_strides(0, to);
        for (int i = 0; i < to.rank(); ++i) box.loop(to[i], step[size_t(i)], dst[size_t(i)]);
        return m.copy(box);
    }
};

}  // namespace coffer::ops
