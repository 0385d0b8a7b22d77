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
        if (src.elements() == 0) return {};
        const int64_t size = c.attr_i("size"), channels = src.shape[1];
        const int64_t inner = src.shape.elements(2, src.shape.rank());
        const double alpha = double{c.attr_f("alpha")} / static_cast<double>(size), beta = c.attr_f("beta");
        const int64_t before = std::min((size - 1) / 2, channels), after = std::min(size / 2, channels);
        // Squares are summed within blocks as long as a window, up to each channel and from it on. A window lies in
        // at most two blocks, so that its sum is that of two such sums; taking away what leaves a window would lose
        // what is small beside it.
        const int64_t window = before + after + 1;
        COFFER_TRY_ASSIGN(std::byte* const memory, c.scratch(static_cast<size_t>(channels) * 2 * sizeof(double)));
        auto* const until = reinterpret_cast<double*>(memory);
        double* const from = until + channels;
        for (int64_t column = 0; column < src.elements() / channels; ++column) {
            const int64_t base = column / inner * channels * inner + column % inner;
            const auto square = [&](int64_t channel) {
                const double x = load_double(src, base + channel * inner);
                return x * x;
            };
            for (int64_t k = 0; k < channels; ++k) until[k] = square(k) + (k % window == 0 ? 0 : until[k - 1]);
            for (int64_t k = channels; k-- > 0;) {
                from[k] = square(k) + (k + 1 == channels || (k + 1) % window == 0 ? 0 : from[k + 1]);
            }
            for (int64_t k = 0; k < channels; ++k) {
                const int64_t first = std::max<int64_t>(0, k - before), last = std::min(channels - 1, k + after);
                const bool one_block = first / window == last / window;
                const double squares = !one_block            ? from[first] + until[last]
                                       : first % window == 0 ? until[last]
                                                             : from[first];
                const int64_t i = base + k * inner;
                store_double(dst, i, load_double(src, i) / std::pow(c.attr_f("bias") + alpha * squares, beta));
            }
        }
        return {};
    }
};

}  // namespace coffer::ops
