// Fast variants of Resize: at most two axes, next to each other in memory, change; what their places come from is
// worked out when planning.
#pragma once

#include <cstdint>

#include "coffer/kernels/resize_params.hpp"
#include "coffer/ops/family/move_resize.hpp"

#ifdef COFFER_ARCH
#include "coffer/kernels/resize.hpp"
#endif

namespace coffer::ops {

template <ResizeGeometry::Mode mode>
struct ResizeFast {
    static constexpr bool linear = mode == ResizeGeometry::kLinear;

    static bool accepts(const PlanContext& c) {
        Work w;
        return prepare(c, &w);
    }
    static Status plan(PlanContext& c) {
        Work w;
        if (!prepare(c, &w)) return c.unsupported("not a resize of two axes");
        kernels::ResizeParams& p = w.params;
        const auto row = static_cast<int64_t>(p.out_rows), column = static_cast<int64_t>(p.out_columns);
        p.row = taps(c, w.geometry, w.rows, row);
        p.column = taps(c, w.geometry, w.columns, column);
        const Operand operands[] = {Operand::input(0), Operand::output(0)};
        c.step(c.kernel(linear ? 1 : 2), c.params(p), operands, w.outer * p.out_rows,
               static_cast<double>(p.out_columns) * (linear ? 2.0 + 0.3 * static_cast<double>(p.run) : 1.0));
        return {};
    }

 private:
    static constexpr int kNone = -1;  // an axis of one element that stands for none

    struct Work {
        ResizeGeometry geometry;
        int rows = kNone, columns = kNone;  // logical axes
        size_t outer = 1;
        kernels::ResizeParams params{};
    };

    static bool prepare(const PlanContext& c, Work* w) {
        ResizeGeometry& g = w->geometry;
        const auto known = g.set(MoveContext(c));
        const DType dtype = c.input(0).dtype;
        if (!known.ok() || !*known || g.mode != mode || g.transform == g.kCropAndResize || g.exclude_outside)
            return false;
        if (linear ? dtype != DType::kFloat : dtype_bits(dtype) % 8 != 0) return false;
        if (c.input_layout(0) != c.output_layout(0) || g.to.elements() == 0 || c.input(0).shape.elements() == 0)
            return false;
        const int rank = g.to.rank();
        const bool last = c.input_layout(0) == Layout::kChannelsLast && rank >= 3;
        int first = rank, final = kNone;  // in memory order
        const auto axis_at = [&](int place) {
            return !last || place == 0 ? place : place == rank - 1 ? 1 : place + 1;
        };
        for (int place = 0; place < rank; ++place) {
            const int a = axis_at(place);
            if (g.axes[a].from == g.axes[a].to && g.axes[a].scale == 1) continue;
            if (g.axes[a].from > INT32_MAX || g.to[a] > g.kMaxPlanned || (linear && g.taps(a) != 2)) return false;
            first = std::min(first, place);
            final = place;
        }
        if (final == kNone || final - first > 1) return false;
        w->columns = axis_at(final);
        if (first < final) w->rows = axis_at(first);
        kernels::ResizeParams& p = w->params;
        p.run = linear ? 1 : static_cast<size_t>(dtype_bits(dtype) / 8);
        for (int place = 0; place < rank; ++place) {
            const auto n = static_cast<size_t>(g.to[axis_at(place)]);
            if (place < first) w->outer *= n;
            if (place > final) p.run *= n;
        }
        p.in_rows = w->rows == kNone ? 1 : static_cast<size_t>(g.axes[w->rows].from);
        p.out_rows = w->rows == kNone ? 1 : static_cast<size_t>(g.axes[w->rows].to);
        p.in_columns = static_cast<size_t>(g.axes[w->columns].from);
        p.out_columns = static_cast<size_t>(g.axes[w->columns].to);
        return true;
    }

    static const kernels::ResizeTap* taps(PlanContext& c, const ResizeGeometry& g, int axis, int64_t n) {
        auto* out = static_cast<kernels::ResizeTap*>(
            c.allocate_params(static_cast<size_t>(n) * sizeof(kernels::ResizeTap), alignof(kernels::ResizeTap)));
        for (int64_t x = 0; x < n; ++x) {
            int64_t at[2] = {};
            double weight[2] = {1, 0};
            bool outside = false;
            if (axis != kNone) {
                const double from = g.source(axis, x, &outside);
                if (linear)
                    g.weigh(axis, from, at, weight);
                else
                    at[0] = g.nearest(axis, from);
            }
            for (int i = 0; i < 2; ++i) {
                if (weight[i] != 0) continue;
                at[i] = at[1 - i];
                weight[0] = weight[1] = weight[1 - i] / 2;
            }
            out[x] = {{static_cast<int32_t>(at[0]), static_cast<int32_t>(at[1])},
                      {static_cast<float>(weight[0]), static_cast<float>(weight[1])}};
        }
        return out;
    }
};

}  // namespace coffer::ops
