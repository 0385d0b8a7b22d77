// Depthwise 1-D convolution that looks only backwards, with the last k - 1 inputs carried from call to call.
// https://onnx.ai/onnx/operators/onnx__CausalConvWithState.html
#pragma once

#include "coffer/ops/family/attention.hpp"

namespace coffer::ops {

struct CausalConvWithState {
    static constexpr AttrSpec kAttrs[] = {AttrSpec::s("activation", "none")};
    static constexpr Facts facts{.domain = "",
                                 .name = "CausalConvWithState",
                                 .since = 27,
                                 .min_inputs = 2,
                                 .max_inputs = 4,
                                 .min_outputs = 1,
                                 .max_outputs = 2,
                                 .attrs = kAttrs};

    static Status infer(InferContext& c) {
        const Shape &x = c.shape(0), &w = c.shape(1);
        for (size_t i = 0; i < 4; ++i) {
            if (!c.has_input(i)) continue;
            if (!is_attention_float(c.dtype(0)) || c.dtype(i) != c.dtype(0)) {
                return c.fail("input ", i, " has type ", c.dtype(i), ", the first ", c.dtype(0));
            }
        }
        if (x.rank() != 3 || w.rank() != 3 || w[0] != x[1] || w[1] != 1 || w[2] < 1) {
            return c.fail("input ", x, " and weight ", w, " do not fit");
        }
        if (c.has_input(2) && !(c.shape(2) == Shape{x[1]})) return c.fail("bias ", c.shape(2), " for input ", x);
        const Shape state{x[0], x[1], w[2] - 1};
        if (c.has_input(3) && !(c.shape(3) == state)) return c.fail("past_state ", c.shape(3), ", must be ", state);
        const std::string_view activation = c.attr_s("activation");
        if (activation != "none" && activation != "silu" && activation != "swish") {
            return c.fail("activation '", activation, "'");
        }
        c.set(0, c.dtype(0), x);
        c.set(1, c.dtype(0), state);
        return {};
    }

    static Status reference(RunContext& c) {
        const TensorView &x = c.input(0), &w = c.input(1);
        const int64_t channels = x.shape[1], length = x.shape[2], taps = w.shape[2];
        const bool silu = c.attr_s("activation") != "none";
        for (int64_t row = 0; row < x.shape[0] * channels; ++row) {
            // Position t of the carried state followed by the input.
            const auto at = [&](int64_t t) {
                if (t >= taps - 1) return load_double(x, row * length + t - (taps - 1));
                return c.has_input(3) ? load_double(c.input(3), row * (taps - 1) + t) : 0;
            };
            const int64_t channel = row % channels;
            for (int64_t t = 0; t < length; ++t) {
                double sum = c.has_input(2) ? load_double(c.input(2), channel) : 0;
                for (int64_t k = 0; k < taps; ++k) sum += at(t + k) * load_double(w, channel * taps + k);
                store_double(c.output(0), row * length + t, silu ? sum / (1 + std::exp(-sum)) : sum);
            }
            for (int64_t k = 0; c.has_output(1) && k < taps - 1; ++k) {
                store_double(c.output(1), row * (taps - 1) + k, at(length + k));
            }
        }
        return {};
    }
};

}  // namespace coffer::ops
