// Samples X at the places a grid names, in any number of spatial dims.
// https://onnx.ai/onnx/operators/onnx__GridSample.html
#pragma once

#include <cmath>

#include "coffer/ops/family/move.hpp"

namespace coffer::ops {

struct GridSample : MoveOp<GridSample> {
    static constexpr AttrSpec attrs[] = {AttrSpec::i("align_corners", 0), AttrSpec::s("mode", "linear"),
                                         AttrSpec::s("padding_mode", "zeros")};
    static constexpr Facts facts{.domain = "",
                                 .name = "GridSample",
                                 .since = 22,
                                 .min_inputs = 2,
                                 .max_inputs = 2,
                                 .min_outputs = 1,
                                 .max_outputs = 1,
                                 .attrs = attrs};

    static Status move(MoveContext& m) {
        const Shape &x = m.shape(0), &grid = m.shape(1);
        const int n = x.rank() - 2;
        Sampler s;
        const std::string_view mode = m.node().attr_s("mode"), padding = m.node().attr_s("padding_mode");
        if (mode != "linear" && mode != "nearest" && mode != "cubic") return m.fail("mode '", mode, "'");
        if (padding != "zeros" && padding != "border" && padding != "reflection")
            return m.fail("padding_mode '", padding, "'");
        if (n < 1 || grid.rank() != x.rank() || grid[0] != x[0] || grid.back() != n)
            return m.fail("grid ", grid, " for X ", x);
        if (!is_floating(m.dtype(1))) return m.fail("grid is ", m.dtype(1));
        if (!is_floating(m.dtype(0)) && !is_integer(m.dtype(0))) return m.fail("X is ", m.dtype(0));
        Shape to{x[0], x[1]};
        for (int i = 0; i < n; ++i) to.push_back(grid[1 + i]);
        COFFER_TRY(m.output(0, m.dtype(0), to));
        if (!m.running() || to.elements() == 0) return {};
        s.taps = mode == "linear" ? 2 : mode == "cubic" ? 4 : 1;
        s.padding = padding == "zeros" ? kZeros : padding == "border" ? kBorder : kReflection;
        s.align = m.node().attr_i("align_corners") != 0;
        const TensorView &src = *m.value(0), &places = *m.value(1), &dst = m.result(0);
        const int64_t plane = x.elements(2, x.rank()), points = grid.elements(1, grid.rank() - 1);
        for (int64_t b = 0; b < x[0]; ++b) {
            for (int64_t p = 0; p < points; ++p) {
                for (int a = 0; a < n; ++a) {  // the grid's last dim is (x, y, ...): the innermost axis first
                    s.set(a, x[2 + a], load_double(places, (b * points + p) * n + (n - 1 - a)));
                }
                for (int64_t c = 0; c < x[1]; ++c) {
                    const double v = s.sample(src, (b * x[1] + c) * plane, x, n);
                    store_double(dst, (b * x[1] + c) * points + p, v);
                }
            }
        }
        return {};
    }

 private:
    enum Padding : uint8_t { kZeros, kBorder, kReflection };

    struct Sampler {
        int taps;
        Padding padding;
        bool align;
        int64_t index[kMaxRank][4];  // -1: outside, reads as 0
        double weight[kMaxRank][4];

        void set(int a, int64_t size, double g) {
            const auto n = static_cast<double>(size);
            double at = align ? (g + 1) / 2 * (n - 1) : ((g + 1) * n - 1) / 2;
            if (taps == 1) at = std::nearbyint(at);
            if (taps != 4) at = place(at, n);
            const double base = std::floor(at), part = at - base;
            for (int t = 0; t < taps; ++t) {
                const double tap = place(base + t - (taps == 4 ? 1 : 0), n);
                index[a][t] = tap >= 0 && tap <= n - 1 ? static_cast<int64_t>(tap) : -1;
                weight[a][t] = taps == 1   ? 1
                               : taps == 2 ? (t == 0 ? 1 - part : part)
                                           : cubic(std::fabs(part + 1 - t));
            }
        }
        double place(double at, double n) const {
            if (padding == kZeros) return at;
            if (padding == kReflection && std::isfinite(at)) {
                const double low = align ? 0 : -0.5, range = align ? n - 1 : n;
                if (range <= 0) return 0;
                const double period = std::fmod(std::fabs(at - low), 2 * range);
                at = low + (period > range ? 2 * range - period : period);
            }
            return at > 0 ? std::min(at, n - 1) : 0;  // NaN goes to 0
        }
        static double cubic(double x) {
            constexpr double a = -0.75;
            return x <= 1 ? ((a + 2) * x - (a + 3)) * x * x + 1 : ((a * x - 5 * a) * x + 8 * a) * x - 4 * a;
        }
        double sample(const TensorView& src, int64_t base, const Shape& x, int n) const {
            int tap[kMaxRank] = {};
            double sum = 0;
            for (int a = 0; a >= 0;) {
                double w = 1;
                int64_t at = 0;
                bool inside = true;
                for (int k = 0; k < n && inside; ++k) {
                    w *= weight[k][tap[k]];
                    inside = index[k][tap[k]] >= 0;
                    at = at * x[2 + k] + index[k][tap[k]];
                }
                if (inside) sum += w * load_double(src, base + at);
                for (a = n - 1; a >= 0 && ++tap[a] == taps; --a) tap[a] = 0;
            }
            return sum;
        }
    };
};

}  // namespace coffer::ops
