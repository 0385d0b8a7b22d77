// Quantized matrix products: infer and reference for every input order (QRoles).
#pragma once

#include "coffer/ops/family/qlinear.hpp"

namespace coffer::ops {

inline Status q_matmul_infer(InferContext& c, const QRoles& r, TypeSet data = kQBytes,
                             TypeSet scale = types(DType::kFloat)) {
    COFFER_TRY(q_check_present(c, r));
    COFFER_TRY_ASSIGN(const MatMulShape s,
                      MatMulShape::of(c, c.shape(static_cast<size_t>(r.x)), c.shape(static_cast<size_t>(r.w)),
                                      r.x_transposed, r.w_transposed));
    COFFER_TRY_ASSIGN(const DType type, q_check(c, r, s.m, s.n, data, scale));
    if (q_has(c, r.bias)) {
        const Shape& bias = c.shape(static_cast<size_t>(r.bias));
        Shape out;
        if (!broadcast(bias, s.output, &out) || !(out == s.output) || bias.rank() > 2) {
            return c.fail("bias ", bias, " does not broadcast to ", s.output);
        }
        // Its axes are the rows and columns of a matrix, which the product with a vector has not.
        const bool columns = c.shape(static_cast<size_t>(r.w)).rank() > 1;
        const bool rows = c.shape(static_cast<size_t>(r.x)).rank() > 1;
        if (bias.elements() != 1 && (!columns || (!rows && bias.rank() > 1))) {
            return c.fail("bias ", bias, " does not fit the product with a vector, ", s.output);
        }
    }
    c.set(0, type, s.output);
    return {};
}

inline Status q_matmul_reference(RunContext& c, const QRoles& r) {
    const TensorView& w = c.input(static_cast<size_t>(r.w));
    const QActivations x = QActivations::of(c, r);
    COFFER_TRY_ASSIGN(const MatMulShape s, MatMulShape::of(c, x.x.shape, w.shape, r.x_transposed, r.w_transposed));
    COFFER_TRY_ASSIGN(const QFinish finish, QFinish::of(c, r));
    for (int64_t batch = 0; batch < s.batch.elements(); ++batch) {
        const int64_t x0 = broadcast_matrix(s.a_batch, s.batch, batch) * s.m * s.k;
        const int64_t w0 = broadcast_matrix(s.b_batch, s.batch, batch) * s.k * s.n;
        for (int64_t row = 0; row < s.m; ++row) {
            const double x_zero = x.zero_of(c, r, row);
            for (int64_t column = 0; column < s.n; ++column) {
                const double w_zero = q_parameter(c, r.w_zero, column, 0);
                double sum = 0;
                for (int64_t k = 0; k < s.k; ++k) {
                    const int64_t at = r.w_transposed ? column * s.k + k : k * s.n + column;
                    const int64_t from = r.x_transposed ? k * s.m + row : row * s.k + k;
                    sum += (x.value(x0 + from) - x_zero) * (load_double(w, w0 + at) - w_zero);
                }
                finish(c, (batch * s.m + row) * s.n + column, sum, row, column, x.scale_of(c, r, row));
            }
        }
    }
    return {};
}

}  // namespace coffer::ops
