// Mean over the spatial axes of an 8-bit tensor. com.microsoft, see ContribOperators.md of ONNX Runtime.
#pragma once

#include "coffer/ops/family/qelementwise.hpp"

namespace coffer::ops::ms {

struct QLinearGlobalAveragePool {
    static constexpr AttrSpec attrs[] = {AttrSpec::i("channels_last", 0)};
    static constexpr Facts facts{.domain = "com.microsoft",
                                 .name = "QLinearGlobalAveragePool",
                                 .since = 1,
                                 .min_inputs = 4,
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
        Shape out = c.shape(0);
        if (out.rank() < 3) return c.fail("input ", out, " must have spatial axes");
        const int first = c.attr_i("channels_last") ? 1 : 2;
        for (int i = 0; i < out.rank() - 2; ++i) {
            if (out[first + i] == 0) return c.fail("mean of nothing: ", c.shape(0));
            out[first + i] = 1;
        }
        c.set(0, c.dtype(0), out);
        return {};
    }
    static Status reference(RunContext& c) {
        const TensorView &src = c.input(0), &dst = c.output(0);
        const QScalar x = QScalar::of(c, 1), y = QScalar::of(c, 3);
        const bool last = c.attr_i("channels_last") != 0;
        const int64_t channels = last ? src.shape.back() : src.shape[1];
        const int64_t area = dst.elements() == 0 ? 0 : src.elements() / dst.elements();
        for (int64_t i = 0; i < dst.elements(); ++i) {
            int64_t sum = 0;
            for (int64_t k = 0; k < area; ++k) {
                sum += load_int(src, last ? (i / channels * area + k) * channels + i % channels : i * area + k);
            }
            const auto mean = static_cast<float>(sum - area * x.zero) * x.scale / static_cast<float>(area);
            store_int(dst, i, y.quantize(mean, dst.dtype));
        }
        return {};
    }
};

}  // namespace coffer::ops::ms
