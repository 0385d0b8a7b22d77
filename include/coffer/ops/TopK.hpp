// The k largest or smallest along an axis, with their indices; of equals the lower index comes first.
// https://onnx.ai/onnx/operators/onnx__TopK.html
#pragma once

#include "coffer/ops/family/index_sort.hpp"
#include "coffer/ops/family/move.hpp"

namespace coffer::ops {

struct TopK : MoveOp<TopK> {
    static constexpr AttrSpec attrs[] = {AttrSpec::i("axis", -1), AttrSpec::i("largest", 1),
                                         AttrSpec::i("sorted", 1)};
    static constexpr Facts facts{.domain = "",
                                 .name = "TopK",
                                 .since = 24,
                                 .min_inputs = 2,
                                 .max_inputs = 2,
                                 .min_outputs = 2,
                                 .max_outputs = 2,
                                 .attrs = attrs,
                                 .atol = 0,
                                 .rtol = 0};

    static Status move(MoveContext& m) {
        const DType dtype = m.dtype(0);
        if (!is_integer(dtype) && !is_floating(dtype)) return m.fail("type ", dtype);
        COFFER_TRY_ASSIGN(const int axis, m.axis(m.node().attr_i("axis"), m.rank(0)));
        int64_t k = 0;
        COFFER_TRY_ASSIGN(const bool known, m.scalar(1, &k));
        if (!known) {
            COFFER_TRY(m.unknown(0, dtype));
            return m.unknown(1, DType::kInt64);
        }
        const int64_t dim = m.shape(0)[axis];
        if (k < 0 || k > dim) return m.fail("k is ", k, " on an axis of ", dim);
        Shape to = m.shape(0);
        to[axis] = k;
        COFFER_TRY(m.output(0, dtype, to));
        COFFER_TRY(m.output(1, DType::kInt64, to));
        if (!m.running()) return {};
        COFFER_TRY_ASSIGN(std::byte* const memory, m.scratch(static_cast<size_t>(dim) * sizeof(int64_t)));
        auto* order = reinterpret_cast<int64_t*>(memory);
        const int64_t inner = m.shape(0).elements(axis + 1, to.rank()), outer = m.shape(0).elements(0, axis);
        const bool largest = m.node().attr_i("largest") != 0;
        for (int64_t o = 0; o < outer * inner; ++o) {
            const int64_t base = o / inner * dim * inner + o % inner;
            const int64_t out = o / inner * k * inner + o % inner;
            for (int64_t i = 0; i < dim; ++i) order[i] = i;
            std::partial_sort(order, order + k, order + dim, [&](int64_t x, int64_t y) {
                const int c = compare_elements(*m.value(0), base + x * inner, base + y * inner);
                return c != 0 ? (c > 0) == largest : x < y;
            });
            for (int64_t i = 0; i < k; ++i) {
                if (m.node().has_output(0))
                    copy_elements(m.result(0), out + i * inner, 1, *m.value(0), base + order[i] * inner, 1, 1);
                if (m.node().has_output(1)) m.result(1).as<int64_t>()[out + i * inner] = order[i];
            }
        }
        return {};
    }
};

}  // namespace coffer::ops
