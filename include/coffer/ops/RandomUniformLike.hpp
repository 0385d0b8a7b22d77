// Uniform numbers in [low, high), shaped like the input. https://onnx.ai/onnx/operators/onnx__RandomUniformLike.html
#pragma once

#include "coffer/ops/family/random.hpp"

namespace coffer::ops {

struct RandomUniformLike : RandomOp<Distribution::kUniform, true> {
    static constexpr AttrSpec attrs[] = {AttrSpec::optional("dtype", AttrSpec::kInt), AttrSpec::f("high", 1),
                                         AttrSpec::f("low", 0), AttrSpec::optional("seed", AttrSpec::kFloat)};
    static constexpr Facts facts{.domain = "",
                                 .name = "RandomUniformLike",
                                 .since = 22,
                                 .min_inputs = 1,
                                 .max_inputs = 1,
                                 .min_outputs = 1,
                                 .max_outputs = 1,
                                 .attrs = attrs,
                                 .deterministic = false};
};

}  // namespace coffer::ops
