// Running sums and products along an axis that comes as an input.
#pragma once

#include "coffer/ops/family/types.hpp"

namespace coffer::ops {

inline constexpr AttrSpec kCumulativeAttrs[] = {AttrSpec::i("exclusive", 0), AttrSpec::i("reverse", 0)};

constexpr Facts cumulative_facts(const char* name, int since) {
    return {.domain = "",
            .name = name,
            .since = since,
            .min_inputs = 2,
            .max_inputs = 2,
            .min_outputs = 1,
            .max_outputs = 1,
            .attrs = kCumulativeAttrs,
            .inplace_input = -1};
}

inline Status cumulative_axis(const NodeContext& c, const TensorView& axis, int rank, int* out) {
    const int64_t a = load_int(axis, 0);
    return normalize_axis(a, rank, out) ? Status() : c.fail("axis ", a, " is outside a rank of ", rank);
}

inline Status infer_cumulative(InferContext& c) {
    COFFER_TRY(expect_type(c, 0, kFloats | kWideInts));
    COFFER_TRY(expect_type(c, 1, types(DType::kInt32, DType::kInt64)));
    if (c.shape(1).elements() != 1) return c.fail("axis has shape ", c.shape(1), ", not a scalar");
    int axis = 0;
    if (c.known(1)) COFFER_TRY(cumulative_axis(c, *c.known(1), c.shape(0).rank(), &axis));
    c.set(0, c.dtype(0), c.shape(0));
    return {};
}

inline Status cumulative_reference(RunContext& c, bool product) {
    const TensorView &src = c.input(0), &dst = c.output(0);
    int axis = 0;
    COFFER_TRY(cumulative_axis(c, c.input(1), src.shape.rank(), &axis));
    const bool exclusive = c.attr_i("exclusive") != 0, reverse = c.attr_i("reverse") != 0;
    const int64_t n = src.shape[axis], inner = src.shape.elements(axis + 1, src.shape.rank());
    const int64_t lines = n == 0 ? 0 : src.elements() / n;
    for (int64_t line = 0; line < lines; ++line) {
        const int64_t base = line / inner * n * inner + line % inner;
        double acc = product ? 1 : 0;
        uint64_t exact = product ? 1 : 0;
        for (int64_t k = 0; k < n; ++k) {
            const int64_t i = base + (reverse ? n - 1 - k : k) * inner;
            const double before = acc;
            const uint64_t exact_before = exact;
            if (is_integer(src.dtype)) {
                const auto x = static_cast<uint64_t>(load_int(src, i));
                exact = product ? exact * x : exact + x;
                store_int(dst, i, static_cast<int64_t>(exclusive ? exact_before : exact));
            } else {
                const double x = load_double(src, i);
                acc = product ? acc * x : acc + x;
                store_double(dst, i, exclusive ? before : acc);
            }
        }
    }
    return {};
}

}  // namespace coffer::ops
