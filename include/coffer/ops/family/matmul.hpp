// Shapes and the readable product of matrix ops. Nothing fast here: see matmul_plan.hpp.
#pragma once

#include "coffer/ops/op.hpp"

namespace coffer::ops {

// float types, and the 32 and 64 bit integers.
constexpr bool is_matmul_type(DType t) {
    switch (t) {
        case DType::kFloat:
        case DType::kDouble:
        case DType::kFloat16:
        case DType::kBfloat16:
        case DType::kInt32:
        case DType::kInt64:
        case DType::kUint32:
        case DType::kUint64: return true;
        default: return false;
    }
}

// numpy.matmul on shapes, each operand optionally transposed in its last two axes. 1-D operands count as a
// row (A) or a column (B), and that axis is left out of the result.
struct MatMulShape {
    int64_t m = 0, k = 0, n = 0;
    Shape a_batch, b_batch, batch;  // leading axes
    Shape output;

    static Result<MatMulShape> of(const NodeContext& c, const Shape& a, const Shape& b, bool trans_a, bool trans_b) {
        if (a.rank() == 0 || b.rank() == 0) return c.fail("inputs must have at least one dimension: ", a, ", ", b);
        if ((trans_a && a.rank() < 2) || (trans_b && b.rank() < 2)) {
            return c.fail("cannot transpose a vector: ", a, ", ", b);
        }
        MatMulShape s;
        const bool a_vector = a.rank() == 1, b_vector = b.rank() == 1;
        s.m = a_vector ? 1 : a[a.rank() - (trans_a ? 1 : 2)];
        s.k = a_vector ? a[0] : a[a.rank() - (trans_a ? 2 : 1)];
        s.n = b_vector ? 1 : b[b.rank() - (trans_b ? 2 : 1)];
        const int64_t k = b_vector ? b[0] : b[b.rank() - (trans_b ? 1 : 2)];
        if (k != s.k) return c.fail("inner dimensions differ: ", a, " by ", b, " gives ", s.k, " and ", k);
        for (int i = 0; i < a.rank() - 2; ++i) s.a_batch.push_back(a[i]);
        for (int i = 0; i < b.rank() - 2; ++i) s.b_batch.push_back(b[i]);
        if (!broadcast(s.a_batch, s.b_batch, &s.batch)) return c.fail("cannot broadcast ", a, " with ", b);
        s.output = s.batch;
        if (!a_vector) s.output.push_back(s.m);
        if (!b_vector) s.output.push_back(s.n);
        return s;
    }
};

// Number of the matrix that output matrix `index` uses, when `own` is broadcast to `batch`.
inline int64_t broadcast_matrix(const Shape& own, const Shape& batch, int64_t index) {
    int64_t result = 0, stride = 1;
    for (int i = 1; i <= batch.rank(); ++i) {
        const int64_t at = index % batch[batch.rank() - i];
        index /= batch[batch.rank() - i];
        if (i > own.rank()) continue;
        const int64_t dim = own[own.rank() - i];
        result += (dim == 1 ? 0 : at) * stride;
        stride *= dim;
    }
    return result;
}

// Sum over k of A[m, k] B[k, n], in double for floats and modulo 2^64 for integers. `a` and `b` give the flat
// index of an element from (row or column, k).
template <class A, class B>
double sum_of_products(const TensorView& x, const TensorView& y, int64_t k, A a, B b) {
    double sum = 0;
    for (int64_t i = 0; i < k; ++i) sum += load_double(x, a(i)) * load_double(y, b(i));
    return sum;
}
template <class A, class B>
int64_t sum_of_integer_products(const TensorView& x, const TensorView& y, int64_t k, A a, B b) {
    uint64_t sum = 0;
    for (int64_t i = 0; i < k; ++i) {
        sum += static_cast<uint64_t>(load_int(x, a(i))) * static_cast<uint64_t>(load_int(y, b(i)));
    }
    return static_cast<int64_t>(sum);
}

// Calls finish(output index, matrix row, column, sum) for floats; integers are stored as they are.
template <class Finish>
Status reference_matmul(RunContext& c, bool trans_a, bool trans_b, Finish finish) {
    const TensorView &a = c.input(0), &b = c.input(1), &dst = c.output(0);
    COFFER_TRY_ASSIGN(const MatMulShape s, MatMulShape::of(c, a.shape, b.shape, trans_a, trans_b));
    for (int64_t i = 0; i < s.batch.elements(); ++i) {
        const int64_t a0 = broadcast_matrix(s.a_batch, s.batch, i) * s.m * s.k;
        const int64_t b0 = broadcast_matrix(s.b_batch, s.batch, i) * s.k * s.n;
        for (int64_t m = 0; m < s.m; ++m) {
            for (int64_t n = 0; n < s.n; ++n) {
                const auto at_a = [&](int64_t k) { return a0 + (trans_a ? k * s.m + m : m * s.k + k); };
                const auto at_b = [&](int64_t k) { return b0 + (trans_b ? n * s.k + k : k * s.n + n); };
                const int64_t at = (i * s.m + m) * s.n + n;
                if (is_integer(dst.dtype)) {
                    store_int(dst, at, sum_of_integer_products(a, b, s.k, at_a, at_b));
                } else {
                    store_double(dst, at, finish(at, n, sum_of_products(a, b, s.k, at_a, at_b)));
                }
            }
        }
    }
    return {};
}

}  // namespace coffer::ops
