// Lines along an axis divided by their L1 or L2 norm; zeros stay.
// https://onnx.ai/onnx/operators/onnx__LpNormalization.html
#pragma once

#include <cmath>

#include "coffer/ops/family/types.hpp"

namespace coffer::ops {

struct LpNormalization {
    static constexpr AttrSpec attrs[] = {AttrSpec::i("axis", -1), AttrSpec::i("p", 2)};
    static constexpr Facts facts{.domain = "",
                                 .name = "LpNormalization",
                                 .since = 22,
                                 .min_inputs = 1,
                                 .max_inputs = 1,
                                 .min_outputs = 1,
                                 .max_outputs = 1,
                                 .attrs = attrs};

    static Status infer(InferContext& c) {
        COFFER_TRY(expect_type(c, 0, kFloats));
        const int64_t p = c.attr_i("p");
        if (p != 1 && p != 2) return c.fail("p is ", p, ", not 1 or 2");
        int axis = 0;
        const int rank = c.shape(0).rank();
        if (!normalize_axis(c.attr_i("axis"), rank, &axis)) {
            return c.fail("axis ", c.attr_i("axis"), " is outside a rank of ", rank);
        }
        c.set(0, c.dtype(0), c.shape(0));
        return {};
    }
    static Status reference(RunContext& c) {
        const TensorView &src = c.input(0), &dst = c.output(0);
        int axis = 0;
        (void)normalize_axis(c.attr_i("axis"), src.shape.rank(), &axis);
        const bool l1 = c.attr_i("p") == 1;
        const int64_t n = src.shape[axis], inner = src.shape.elements(axis + 1, src.shape.rank());
        const int64_t lines = n == 0 ? 0 : src.elements() / n;
        for (int64_t line = 0; line < lines; ++line) {
            const int64_t base = line / inner * n * inner + line % inner;
            double norm = 0;
            for (int64_t k = 0; k < n; ++k) {
                const double x = load_double(src, base + k * inner);
                norm += l1 ? std::fabs(x) : x * x;
            }
            if (!l1) norm = std::sqrt(norm);
            for (int64_t k = 0; k < n; ++k) {
                const int64_t i = base + k * inner;
                store_double(dst, i, norm == 0 ? 0 : load_double(src, i) / norm);
            }
        }
        return {};
    }
};

}  // namespace coffer::ops
