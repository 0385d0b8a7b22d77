// x / (bias + alpha / size * sum of squares of the channels around)^beta.
// https://onnx.ai/onnx/operators/onnx__LRN.html
#pragma once

#include <cmath>

#include "coffer/ops/family/types.hpp"

namespace coffer::ops {

struct LRN {
    static constexpr AttrSpec attrs[] = {AttrSpec::must("size", AttrSpec::kInt), AttrSpec::f("alpha", 1e-4f),
                                         AttrSpec::f("beta", 0.75f), AttrSpec::f("bias", 1.0f)};
    static constexpr Facts facts{.domain = "",
                                 .name = "LRN",
                                 .since = 13,
                                 .min_inputs = 1,
                                 .max_inputs = 1,
                                 .min_outputs = 1,
                                 .max_outputs = 1,
                                 .attrs = attrs};

    static Status infer(InferContext& c) {
        COFFER_TRY(expect_type(c, 0, kFloats));
        if (c.shape(0).rank() < 2) return c.fail("input of shape ", c.shape(0), " has no channels");
        if (c.attr_i("size") < 1) return c.fail("size is ", c.attr_i("size"));
        c.set(0, c.dtype(0), c.shape(0));
        return {};
    }
    static Status reference(RunContext& c) {
        const TensorView &src = c.input(0), &dst = c.output(0);
        const int64_t size = c.attr_i("size"), channels = src.shape[1];
        const int64_t inner = src.shape.elements(2, src.shape.rank());
        const double alpha = double{c.attr_f("alpha")} / static_cast<double>(size), beta = c.attr_f("beta");
        const int64_t before = (size - 1) / 2, after = size / 2;
        for (int64_t i = 0; i < src.elements(); ++i) {
            const int64_t channel = i / inner % channels;
            double squares = 0;
            const int64_t last = channels - 1 - channel < after ? channels - 1 : channel + after;
            for (int64_t k = std::max<int64_t>(0, channel - before); k <= last; ++k) {
                const double x = load_double(src, i + (k - channel) * inner);
                squares += x * x;
            }
            store_double(dst, i, load_double(src, i) / std::pow(c.attr_f("bias") + alpha * squares, beta));
        }
        return {};
    }
};

}  // namespace coffer::ops
