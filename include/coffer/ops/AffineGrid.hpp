// The grid of places an affine map sends an image of `size` to. https://onnx.ai/onnx/operators/onnx__AffineGrid.html
#pragma once

#include "coffer/ops/family/move.hpp"

namespace coffer::ops {

struct AffineGrid : MoveOp<AffineGrid> {
    static constexpr AttrSpec attrs[] = {AttrSpec::i("align_corners", 0)};
    static constexpr Facts facts{.domain = "",
                                 .name = "AffineGrid",
                                 .since = 20,
                                 .min_inputs = 2,
                                 .max_inputs = 2,
                                 .min_outputs = 1,
                                 .max_outputs = 1,
                                 .attrs = attrs};

    static Status move(MoveContext& m) {
        const Shape& theta = m.shape(0);
        if (!is_floating(m.dtype(0))) return m.fail("theta is ", m.dtype(0));
        const int n = theta.rank() == 3 ? static_cast<int>(std::min<int64_t>(theta[1], 9)) : 0;
        if ((n != 2 && n != 3) || theta[2] != n + 1)
            return m.fail("theta has shape ", theta, ", not (N, 2, 3) or (N, 3, 4)");
        Ints size;
        COFFER_TRY_ASSIGN(const bool known, m.ints(1, &size));
        if (size.n != n + 2) return m.fail("size has ", size.n, " dims for theta ", theta);
        if (!known) return m.unknown(0, m.dtype(0));
        Shape to{theta[0]};
        for (int i = 0; i < n; ++i) {
            if (size[2 + i] < 0) return m.fail("size has a dim ", size[2 + i]);
            to.push_back(size[2 + i]);
        }
        if (size[0] != theta[0]) return m.fail("size says a batch of ", size[0], ", theta ", theta[0]);
        to.push_back(n);
        COFFER_TRY(m.output(0, m.dtype(0), to));
        if (!m.running()) return {};
        const bool align = m.node().attr_i("align_corners") != 0;
        const int64_t points = to.elements(1, n + 1);
        for (int64_t i = 0; i < to[0] * points; ++i) {
            double at[3];
            int64_t rest = i % points;
            for (int a = n - 1; a >= 0; --a) {
                const auto k = static_cast<double>(rest % to[1 + a]), d = static_cast<double>(to[1 + a]);
                rest /= to[1 + a];
                // The innermost axis is x, the first coordinate.
                at[n - 1 - a] = align ? (d > 1 ? 2 * k / (d - 1) - 1 : -1) : (2 * k + 1) / d - 1;
            }
            for (int row = 0; row < n; ++row) {
                const int64_t base = (i / points * n + row) * (n + 1);
                double v = load_double(*m.value(0), base + n);
                for (int k = 0; k < n; ++k) v += load_double(*m.value(0), base + k) * at[k];
                store_double(m.result(0), i * n + row, v);
            }
        }
        return {};
    }
};

}  // namespace coffer::ops
