// Pools regions of X by bilinear samples, averaged or maximal. https://onnx.ai/onnx/operators/onnx__RoiAlign.html
#pragma once

#include <cmath>

#include "coffer/ops/family/index.hpp"

namespace coffer::ops {

struct RoiAlign : MoveOp<RoiAlign> {
    static constexpr AttrSpec attrs[] = {AttrSpec::s("coordinate_transformation_mode", "half_pixel"),
                                         AttrSpec::s("mode", "avg"),
                                         AttrSpec::i("output_height", 1),
                                         AttrSpec::i("output_width", 1),
                                         AttrSpec::i("sampling_ratio", 0),
                                         AttrSpec::f("spatial_scale", 1)};
    static constexpr Facts facts{.domain = "",
                                 .name = "RoiAlign",
                                 .since = 22,
                                 .min_inputs = 3,
                                 .max_inputs = 3,
                                 .min_outputs = 1,
                                 .max_outputs = 1,
                                 .attrs = attrs};

    static Status move(MoveContext& m) {
        const Shape &x = m.shape(0), &rois = m.shape(1);
        const std::string_view mode = m.node().attr_s("mode"),
                               shift = m.node().attr_s("coordinate_transformation_mode");
        const int64_t h = m.node().attr_i("output_height"), w = m.node().attr_i("output_width");
        const int64_t ratio = m.node().attr_i("sampling_ratio");
        if (!is_floating(m.dtype(0)) || m.dtype(1) != m.dtype(0))
            return m.fail("X is ", m.dtype(0), ", rois ", m.dtype(1));
        if (x.rank() != 4 || rois.rank() != 2 || rois[1] != 4) return m.fail("X ", x, " and rois ", rois);
        if (m.shape(2) != Shape{rois[0]} || !is_integer(m.dtype(2)))
            return m.fail("batch_indices are ", m.dtype(2), " ", m.shape(2));
        if (mode != "avg" && mode != "max") return m.fail("mode '", mode, "'");
        if (shift != "half_pixel" && shift != "output_half_pixel")
            return m.fail("coordinate_transformation_mode '", shift, "'");
        if (h < 0 || w < 0) return m.fail("output of ", h, " by ", w);
        if (ratio < 0 || ratio > kMaxRatio) return m.fail("sampling_ratio ", ratio, ", not 0 to ", kMaxRatio);
        COFFER_TRY(m.output(0, m.dtype(0), Shape{rois[0], x[1], h, w}));
        if (!m.running()) return {};
        const bool half = shift == "half_pixel", average = mode == "avg";
        const double scale = m.node().attr_f("spatial_scale"), offset = half ? 0.5 : 0;
        for (int64_t r = 0; r < rois[0]; ++r) {
            COFFER_TRY_ASSIGN(const int64_t batch, index_at(m.node(), *m.value(2), r, x[0]));
            double box[4];
            for (int k = 0; k < 4; ++k) {
                box[k] = load_double(*m.value(1), r * 4 + k) * scale - offset;
                if (!std::isfinite(box[k])) return m.fail("roi ", r, " is not finite");
            }
            double width = box[2] - box[0], height = box[3] - box[1];
            if (!half) {
                width = std::max(width, 1.0);
                height = std::max(height, 1.0);
            }
            const double bin_w = width / static_cast<double>(w), bin_h = height / static_cast<double>(h);
            // A region larger than the input is sampled no finer than a few samples a pixel.
            const auto samples = [&](double bin, int64_t limit) {
                return x[2] == 0 || x[3] == 0 ? 0
                       : ratio > 0            ? ratio
                                              : static_cast<int64_t>(
                                         std::clamp(std::ceil(bin), 0.0, 4.0 * static_cast<double>(limit) + 1));
            };
            const int64_t grid_h = samples(bin_h, x[2]), grid_w = samples(bin_w, x[3]);
            for (int64_t i = 0; i < x[1] * h * w; ++i) {
                const int64_t base = (batch * x[1] + i / (h * w)) * x[2] * x[3];
                double sum = 0, best = -INFINITY;
                for (int64_t row = 0; row < grid_h && grid_w > 0; ++row) {
                    const double fy = (static_cast<double>(row) + 0.5) / static_cast<double>(grid_h);
                    const double y = box[1] + (static_cast<double>(i / w % h) + fy) * bin_h;
                    if (outside(y, x[2])) {
                        best = std::max(best, 0.0);
                        continue;
                    }
                    for (int64_t column = 0; column < grid_w; ++column) {
                        const double fx = (static_cast<double>(column) + 0.5) / static_cast<double>(grid_w);
                        const double at = box[0] + (static_cast<double>(i % w) + fx) * bin_w;
                        bilinear(*m.value(0), base, x[2], x[3], y, at, &sum, &best);
                    }
                }
                const int64_t count = grid_h * grid_w;
                store_double(m.result(0), r * x[1] * h * w + i,
                             count <= 0 ? 0
                             : average  ? sum / static_cast<double>(count)
                                        : best);
            }
        }
        return {};
    }

 private:
    // Samples along each side of an output element. Detectors take 2, or leave it to the size of the region.
    static constexpr int64_t kMaxRatio = 64;

    static bool outside(double at, int64_t dim) { return !(at >= -1 && at <= static_cast<double>(dim)); }
    // Adds the interpolated value to *sum, and the largest weighted corner to *best, as the operator defines.
    static void bilinear(const TensorView& t, int64_t base, int64_t h, int64_t w, double y, double x, double* sum,
                         double* best) {
        if (outside(y, h) || outside(x, w)) {
            *best = std::max(*best, 0.0);
            return;
        }
        y = std::clamp(y, 0.0, static_cast<double>(h - 1));
        x = std::clamp(x, 0.0, static_cast<double>(w - 1));
        const auto y0 = static_cast<int64_t>(y), x0 = static_cast<int64_t>(x);
        const int64_t y1 = std::min(y0 + 1, h - 1), x1 = std::min(x0 + 1, w - 1);
        const double fy = y - static_cast<double>(y0), fx = x - static_cast<double>(x0);
        const double corners[] = {(1 - fy) * (1 - fx) * load_double(t, base + y0 * w + x0),
                                  (1 - fy) * fx * load_double(t, base + y0 * w + x1),
                                  fy * (1 - fx) * load_double(t, base + y1 * w + x0),
                                  fy * fx * load_double(t, base + y1 * w + x1)};
        for (double v : corners) {
            *sum += v;
            *best = std::max(*best, v);
        }
    }
};

}  // namespace coffer::ops
