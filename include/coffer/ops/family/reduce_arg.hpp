// The index of the largest or smallest element along an axis; the first of equals, or the last one with
// select_last_index. NaN counts as both largest and smallest.
#pragma once

#include "coffer/ops/family/types.hpp"

namespace coffer::ops {

inline constexpr AttrSpec kArgAttrs[] = {AttrSpec::i("axis", 0), AttrSpec::i("keepdims", 1),
                                         AttrSpec::i("select_last_index", 0)};

constexpr Facts arg_facts(const char* name) {
    return {.domain = "",
            .name = name,
            .since = 13,
            .min_inputs = 1,
            .max_inputs = 1,
            .min_outputs = 1,
            .max_outputs = 1,
            .attrs = kArgAttrs,
            .atol = 0,
            .rtol = 0};
}

inline Status infer_arg(InferContext& c) {
    COFFER_TRY(expect_type(c, 0, kNumbers));
    const Shape& shape = c.shape(0);
    int axis = 0;
    if (!normalize_axis(c.attr_i("axis"), shape.rank(), &axis)) {
        return c.fail("axis ", c.attr_i("axis"), " is outside a rank of ", shape.rank());
    }
    if (shape[axis] == 0) return c.fail("axis ", axis, " of ", shape, " has no elements");
    Shape out;
    for (int a = 0; a < shape.rank(); ++a) {
        if (a != axis) {
            out.push_back(shape[a]);
        } else if (c.attr_i("keepdims") != 0) {
            out.push_back(1);
        }
    }
    c.set(0, DType::kInt64, out);
    return {};
}

// Is element i before j in the order that is looked for?
inline bool arg_better(const TensorView& t, int64_t i, int64_t j, bool largest) {
    if (is_integer(t.dtype)) {
        const int64_t a = load_int(t, i), b = load_int(t, j);
        if (t.dtype == DType::kUint64) {
            const auto x = static_cast<uint64_t>(a), y = static_cast<uint64_t>(b);
            return largest ? x > y : x < y;
        }
        return largest ? a > b : a < b;
    }
    const double a = load_double(t, i), b = load_double(t, j);
    if (a != a || b != b) return b == b;
    return largest ? a > b : a < b;
}

inline Status arg_reference(RunContext& c, bool largest) {
    const TensorView& src = c.input(0);
    const auto dst = c.output(0).span<int64_t>();
    int axis = 0;
    (void)normalize_axis(c.attr_i("axis"), src.shape.rank(), &axis);
    const bool last = c.attr_i("select_last_index") != 0;
    const int64_t n = src.shape[axis], inner = src.shape.elements(axis + 1, src.shape.rank());
    for (size_t o = 0; o < dst.size(); ++o) {
        const auto at = static_cast<int64_t>(o);
        const int64_t base = at / inner * n * inner + at % inner;
        int64_t best = 0;
        for (int64_t k = 1; k < n; ++k) {
            const int64_t i = base + k * inner, j = base + best * inner;
            if (last ? !arg_better(src, j, i, largest) : arg_better(src, i, j, largest)) best = k;
        }
        dst[o] = best;
    }
    return {};
}

}  // namespace coffer::ops
