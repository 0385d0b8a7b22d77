// Determinants of square matrices, by elimination with pivoting. https://onnx.ai/onnx/operators/onnx__Det.html
#pragma once

#include <cmath>

#include "coffer/ops/family/move.hpp"

namespace coffer::ops {

struct Det : MoveOp<Det> {
    static constexpr Facts facts{.domain = "",
                                 .name = "Det",
                                 .since = 22,
                                 .min_inputs = 1,
                                 .max_inputs = 1,
                                 .min_outputs = 1,
                                 .max_outputs = 1};

    static Status move(MoveContext& m) {
        const Shape& x = m.shape(0);
        if (!is_floating(m.dtype(0))) return m.fail("type ", m.dtype(0));
        if (x.rank() < 2 || x.back() != x[x.rank() - 2]) return m.fail("input ", x, " is not square");
        Shape to = x;
        to.set_rank(x.rank() - 2);
        COFFER_TRY(m.output(0, m.dtype(0), to));
        if (!m.running()) return {};
        const int64_t n = x.back();
        COFFER_TRY_ASSIGN(std::byte* const memory, m.scratch(static_cast<size_t>(n * n) * sizeof(double)));
        auto* a = reinterpret_cast<double*>(memory);
        for (int64_t b = 0; b < to.elements(); ++b) {
            for (int64_t i = 0; i < n * n; ++i) a[i] = load_double(*m.value(0), b * n * n + i);
            double det = 1;
            for (int64_t k = 0; k < n; ++k) {
                int64_t pivot = k;
                for (int64_t i = k + 1; i < n; ++i) {
                    if (std::fabs(a[i * n + k]) > std::fabs(a[pivot * n + k])) pivot = i;
                }
                if (pivot != k) {
                    std::swap_ranges(a + k * n, a + (k + 1) * n, a + pivot * n);
                    det = -det;
                }
                det *= a[k * n + k];
                if (a[k * n + k] == 0) break;
                for (int64_t i = k + 1; i < n; ++i) {
                    const double f = a[i * n + k] / a[k * n + k];
                    for (int64_t j = k; j < n; ++j) a[i * n + j] -= f * a[k * n + j];
                }
            }
            store_double(m.result(0), b, det);
        }
        return {};
    }
};

}  // namespace coffer::ops
