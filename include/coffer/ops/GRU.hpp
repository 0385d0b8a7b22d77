// Gated recurrent unit, gates in the order z r h. linear_before_reset applies the reset gate after the
// recurrent product instead of before it. https://onnx.ai/onnx/operators/onnx__GRU.html
#pragma once

#include "coffer/ops/family/rnn_fast.hpp"

namespace coffer::ops {

struct GRU : RnnFamily<GRU>, RnnFast<GRU, 3, kernels::RnnCell::kGruResetFirst, kernels::RnnCell::kGruResetLast> {
    static constexpr AttrSpec kAttrs[] = {AttrSpec::optional("activation_alpha", AttrSpec::kFloats),
                                          AttrSpec::optional("activation_beta", AttrSpec::kFloats),
                                          AttrSpec::optional("activations", AttrSpec::kStrings),
                                          AttrSpec::f("clip", 0),
                                          AttrSpec::s("direction", "forward"),
                                          AttrSpec::i("hidden_size", 0),
                                          AttrSpec::i("layout", 0),
                                          AttrSpec::i("linear_before_reset", 0)};
    static constexpr Facts facts{.domain = "",
                                 .name = "GRU",
                                 .since = 22,
                                 .min_inputs = 3,
                                 .max_inputs = 6,
                                 .min_outputs = 0,
                                 .max_outputs = 2,
                                 .attrs = kAttrs,
                                 .atol = 1e-5,
                                 .rtol = 1e-4};
    static constexpr int64_t kGates = 3;
    static constexpr const char* kDefaults[] = {"Sigmoid", "Tanh"};

    static void step(const RnnStep& s) {
        const int64_t hidden = s.s.hidden;
        const bool reset_last = s.c.attr_i("linear_before_reset") != 0;
        const auto gate = [&](int64_t row) { return s.act(0, s.project(row) + s.recur(row, s.h)); };
        for (int64_t j = 0; j < hidden; ++j) s.extra[j] = gate(hidden + j) * (reset_last ? 1 : s.h[j]);
        for (int64_t j = 0; j < hidden; ++j) {
            const int64_t row = 2 * hidden + j;
            const double recurrent = reset_last ? s.extra[j] * s.recur(row, s.h) : s.recur(row, s.extra);
            const double z = gate(j);
            s.next[j] = (1 - z) * s.act(1, s.project(row) + recurrent) + z * s.h[j];
        }
    }
    static kernels::RnnCell cell(const NodeContext& c) {
        return c.attr_i("linear_before_reset") != 0 ? kernels::RnnCell::kGruResetLast
                                                    : kernels::RnnCell::kGruResetFirst;
    }
};

}  // namespace coffer::ops
