// The largest element of each cell of a region divided into pooled_shape.
// https://onnx.ai/onnx/operators/onnx__MaxRoiPool.html
#pragma once

#include <cmath>

#include "coffer/ops/family/move.hpp"

namespace coffer::ops {

struct MaxRoiPool : MoveOp<MaxRoiPool> {
    static constexpr AttrSpec attrs[] = {AttrSpec::must("pooled_shape", AttrSpec::kInts),
                                         AttrSpec::f("spatial_scale", 1)};
    static constexpr Facts facts{.domain = "",
                                 .name = "MaxRoiPool",
                                 .since = 22,
                                 .min_inputs = 2,
                                 .max_inputs = 2,
                                 .min_outputs = 1,
                                 .max_outputs = 1,
                                 .attrs = attrs};

    static Status move(MoveContext& m) {
        const Shape &x = m.shape(0), &rois = m.shape(1);
        const auto pooled = m.node().attr_ints("pooled_shape");
        if (!is_floating(m.dtype(0)) || m.dtype(1) != m.dtype(0))
            return m.fail("X is ", m.dtype(0), ", rois ", m.dtype(1));
        if (x.rank() != 4 || rois.rank() != 2 || rois[1] != 5) return m.fail("X ", x, " and rois ", rois);
        if (pooled.size() != 2 || pooled[0] < 1 || pooled[1] < 1)
            return m.fail("pooled_shape of ", pooled.size(), " dims, or below 1");
        const int64_t h = pooled[0], w = pooled[1];
        COFFER_TRY(m.output(0, m.dtype(0), Shape{rois[0], x[1], h, w}));
        if (!m.running()) return {};
        const double scale = m.node().attr_f("spatial_scale");
        for (int64_t r = 0; r < rois[0]; ++r) {
            double roi[5];
            for (int k = 0; k < 5; ++k) {
                roi[k] = load_double(*m.value(1), r * 5 + k);
                if (k > 0) roi[k] = std::round(roi[k] * scale);
                if (!(std::fabs(roi[k]) < 0x1p52)) return m.fail("roi ", r, " has a coordinate ", roi[k]);
            }
            if (roi[0] < 0 || roi[0] >= static_cast<double>(x[0]))
                return m.fail("roi ", r, " names batch ", roi[0], " of ", x[0]);
            const double bin_h = std::max(roi[4] - roi[2] + 1, 1.0) / static_cast<double>(h);
            const double bin_w = std::max(roi[3] - roi[1] + 1, 1.0) / static_cast<double>(w);
            const auto edge = [](double v, int64_t limit) {
                return static_cast<int64_t>(std::clamp(v, 0.0, static_cast<double>(limit)));
            };
            for (int64_t i = 0; i < x[1] * h * w; ++i) {
                const auto py = static_cast<double>(i / w % h), px = static_cast<double>(i % w);
                const int64_t y0 = edge(std::floor(py * bin_h) + roi[2], x[2]),
                              y1 = edge(std::ceil((py + 1) * bin_h) + roi[2], x[2]);
                const int64_t x0 = edge(std::floor(px * bin_w) + roi[1], x[3]),
                              x1 = edge(std::ceil((px + 1) * bin_w) + roi[1], x[3]);
                const int64_t base = (static_cast<int64_t>(roi[0]) * x[1] + i / (h * w)) * x[2] * x[3];
                double best = y0 < y1 && x0 < x1 ? -INFINITY : 0;
                for (int64_t y = y0; y < y1 && x0 < x1; ++y) {
                    for (int64_t k = x0; k < x1; ++k)
                        best = std::max(best, load_double(*m.value(0), base + y * x[3] + k));
                }
                store_double(m.result(0), r * x[1] * h * w + i, best);
            }
        }
        return {};
    }
};

}  // namespace coffer::ops
