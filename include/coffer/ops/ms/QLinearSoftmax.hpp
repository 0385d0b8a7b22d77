// Softmax of an 8-bit tensor. com.microsoft, see ContribOperators.md of ONNX Runtime. `opset` says which Softmax:
// before 13 all axes from `axis` on are one, later only that axis counts.
#pragma once

#include "coffer/ops/family/qelementwise.hpp"

namespace coffer::ops::ms {

struct QLinearSoftmax {
    static constexpr AttrSpec attrs[] = {AttrSpec::i("axis", -1), AttrSpec::must("opset", AttrSpec::kInt)};
    static constexpr Facts facts{.domain = "com.microsoft",
                                 .name = "QLinearSoftmax",
                                 .since = 1,
                                 .min_inputs = 5,
                                 .max_inputs = 5,
                                 .min_outputs = 1,
                                 .max_outputs = 1,
                                 .attrs = attrs,
                                 .atol = 0,
                                 .rtol = 0};

    static Status infer(InferContext& c) {
        COFFER_TRY(expect_type(c, 0, kQBytes));
        COFFER_TRY(QScalar::check(c, 1, c.dtype(0)));
        COFFER_TRY(QScalar::check(c, 3, c.dtype(0)));
        int axis = 0;
        if (!normalize_axis(c.attr_i("axis"), c.shape(0).rank(), &axis)) {
            return c.fail("axis ", c.attr_i("axis"), " of a tensor of shape ", c.shape(0));
        }
        c.set(0, c.dtype(0), c.shape(0));
        return {};
    }
    static Status reference(RunContext& c) {
        const TensorView &src = c.input(0), &dst = c.output(0);
        const QScalar x = QScalar::of(c, 1), y = QScalar::of(c, 3);
        const int rank = src.shape.rank();
        int axis = 0;
        (void)normalize_axis(c.attr_i("axis"), rank, &axis);
        const bool joined = c.attr_i("opset") < 13;
        const int64_t inner = joined ? 1 : src.shape.elements(axis + 1, rank);
        const int64_t count = joined ? src.shape.elements(axis, rank) : src.shape[axis];
        if (count == 0 || dst.elements() == 0) return {};
        for (int64_t row = 0; row < dst.elements() / count; ++row) {
            const int64_t base = row / inner * count * inner + row % inner;
            int64_t most = INT64_MIN;
            for (int64_t i = 0; i < count; ++i) most = std::max(most, load_int(src, base + i * inner));
            const auto power = [&](int64_t i) {
                return std::exp(static_cast<double>(load_int(src, base + i * inner) - most) * x.scale);
            };
            double sum = 0;
            for (int64_t i = 0; i < count; ++i) sum += power(i);
            for (int64_t i = 0; i < count; ++i) {
                store_int(dst, base + i * inner, y.quantize(static_cast<float>(power(i) / sum), dst.dtype));
            }
        }
        return {};
    }
};

}  // namespace coffer::ops::ms
