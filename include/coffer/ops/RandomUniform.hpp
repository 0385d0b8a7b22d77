// Uniform numbers in [low, high). https://onnx.ai/onnx/operators/onnx__RandomUniform.html
#pragma once

#include "coffer/ops/family/random.hpp"

namespace coffer::ops {

struct RandomUniform : RandomOp<Distribution::kUniform, false> {
    static constexpr AttrSpec attrs[] = {AttrSpec::optional("dtype", AttrSpec::kInt), AttrSpec::f("high", 1),
                                         AttrSpec::f("low", 0), AttrSpec::optional("seed", AttrSpec::kFloat),
                                         AttrSpec::must("shape", AttrSpec::kInts)};
    static constexpr Facts facts{.domain = "",
                                 .name = "RandomUniform",
                                 .since = 22,
                                 .min_inputs = 0,
                                 .max_inputs = 0,
                                 .min_outputs = 1,
                                 .max_outputs = 1,
                                 .attrs = attrs,
                                 .deterministic = false};
};

}  // namespace coffer::ops
