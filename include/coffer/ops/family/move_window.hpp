// Cosine windows of N points: a0 - a1 cos(2 pi n / d) + a2 cos(4 pi n / d), d = N or, when symmetric, N - 1.
#pragma once

#include <cmath>
#include <numbers>

#include "coffer/ops/family/move.hpp"

namespace coffer::ops {

template <class Op>
struct CosineWindow : MoveOp<Op> {
    static constexpr AttrSpec attrs[] = {AttrSpec::i("output_datatype", 1), AttrSpec::i("periodic", 1)};

    static Status move(MoveContext& m) {
        COFFER_TRY_ASSIGN(const DType dtype, dtype_attr(m.node(), "output_datatype", DType::kFloat));
        if (!is_integer(dtype) && !is_floating(dtype)) return m.fail("type ", dtype);
        int64_t n = 0;
        COFFER_TRY_ASSIGN(const bool known, m.scalar(0, &n));
        if (!known) return m.unknown(0, dtype);
        if (n < 0) return m.fail("size ", n);
        COFFER_TRY(m.output(0, dtype, Shape{n}));
        if (!m.running()) return {};
        const auto d = static_cast<double>(m.node().attr_i("periodic") ? n : std::max<int64_t>(n - 1, 1));
        for (int64_t i = 0; i < n; ++i) {
            const double x = 2 * std::numbers::pi * static_cast<double>(i) / d;
            store_double(m.result(0), i, Op::terms[0] - Op::terms[1] * std::cos(x) + Op::terms[2] * std::cos(2 * x));
        }
        return {};
    }
};

}  // namespace coffer::ops
