// Plain recurrent layer: Ht = f(Xt W^T + Ht-1 R^T + Wb + Rb). https://onnx.ai/onnx/operators/onnx__RNN.html
#pragma once

#include "coffer/ops/family/rnn_fast.hpp"

namespace coffer::ops {

struct RNN : RnnFamily<RNN>, RnnFast<RNN, 1, kernels::RnnCell::kPlain> {
    static constexpr AttrSpec kAttrs[] = {AttrSpec::optional("activation_alpha", AttrSpec::kFloats),
                                          AttrSpec::optional("activation_beta", AttrSpec::kFloats),
                                          AttrSpec::optional("activations", AttrSpec::kStrings),
                                          AttrSpec::f("clip", 0),
                                          AttrSpec::s("direction", "forward"),
                                          AttrSpec::i("hidden_size", 0),
                                          AttrSpec::i("layout", 0)};
    static constexpr Facts facts{.domain = "",
                                 .name = "RNN",
                                 .since = 22,
                                 .min_inputs = 3,
                                 .max_inputs = 6,
                                 .min_outputs = 0,
                                 .max_outputs = 2,
                                 .attrs = kAttrs,
                                 .atol = 1e-5,
                                 .rtol = 1e-4};
    static constexpr int64_t kGates = 1;
    static constexpr const char* kDefaults[] = {"Tanh"};

    static void step(const RnnStep& s) {
        for (int64_t j = 0; j < s.s.hidden; ++j) s.next[j] = s.act(0, s.project(j) + s.recur(j, s.h));
    }
    static kernels::RnnCell cell(const NodeContext&) { return kernels::RnnCell::kPlain; }
};

}  // namespace coffer::ops
