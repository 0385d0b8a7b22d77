// Normal numbers, shaped like the input. https://onnx.ai/onnx/operators/onnx__RandomNormalLike.html
#pragma once

#include "coffer/ops/family/random.hpp"

namespace coffer::ops {

struct RandomNormalLike : RandomOp<Distribution::kNormal, true> {
    static constexpr AttrSpec attrs[] = {AttrSpec::optional("dtype", AttrSpec::kInt), AttrSpec::f("mean", 0),
                                         AttrSpec::f("scale", 1), AttrSpec::optional("seed", AttrSpec::kFloat)};
    static constexpr Facts facts{.domain = "",
                                 .name = "RandomNormalLike",
                                 .since = 22,
                                 .min_inputs = 1,
                                 .max_inputs = 1,
                                 .min_outputs = 1,
                                 .max_outputs = 1,
                                 .attrs = attrs,
                                 .deterministic = false};
};

}  // namespace coffer::ops
