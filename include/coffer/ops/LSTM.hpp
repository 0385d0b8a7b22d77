// Long short-term memory, gates in the order i o f c, peepholes in the order i o f. input_forget couples the
// forget gate to the input gate: f = 1 - i. https://onnx.ai/onnx/operators/onnx__LSTM.html
#pragma once

#include "coffer/ops/family/rnn_fast.hpp"

namespace coffer::ops {

struct LSTM : RnnFamily<LSTM>, RnnFast<LSTM, 4, kernels::RnnCell::kLstm> {
    static constexpr AttrSpec kAttrs[] = {AttrSpec::optional("activation_alpha", AttrSpec::kFloats),
                                          AttrSpec::optional("activation_beta", AttrSpec::kFloats),
                                          AttrSpec::optional("activations", AttrSpec::kStrings),
                                          AttrSpec::f("clip", 0),
                                          AttrSpec::s("direction", "forward"),
                                          AttrSpec::i("hidden_size", 0),
                                          AttrSpec::i("input_forget", 0),
                                          AttrSpec::i("layout", 0)};
    static constexpr Facts facts{.domain = "",
                                 .name = "LSTM",
                                 .since = 22,
                                 .min_inputs = 3,
                                 .max_inputs = 8,
                                 .min_outputs = 0,
                                 .max_outputs = 3,
                                 .attrs = kAttrs,
                                 .atol = 1e-5,
                                 .rtol = 1e-4};
    static constexpr int64_t kGates = 4;
    static constexpr const char* kDefaults[] = {"Sigmoid", "Tanh", "Tanh"};

    static void step(const RnnStep& s) {
        const int64_t hidden = s.s.hidden;
        const bool coupled = s.c.attr_i("input_forget") != 0;
        for (int64_t j = 0; j < hidden; ++j) {
            const auto sum = [&](int64_t gate) {
                return s.project(gate * hidden + j) + s.recur(gate * hidden + j, s.h);
            };
            const auto peephole = [&](int64_t gate) {
                return s.c.has_input(7) ? load_double(s.c.input(7), (s.direction * 3 + gate) * hidden + j) : 0;
            };
            double& cell = s.cell[j];
            const double i = s.act(0, sum(0) + peephole(0) * cell);
            const double f = coupled ? 1 - i : s.act(0, sum(2) + peephole(2) * cell);
            cell = f * cell + i * s.act(1, sum(3));
            s.next[j] = s.act(0, sum(1) + peephole(1) * cell) * s.activations[2](cell);
        }
    }
    static kernels::RnnCell cell(const NodeContext&) { return kernels::RnnCell::kLstm; }
};

}  // namespace coffer::ops
