// Normal numbers. https://onnx.ai/onnx/operators/onnx__RandomNormal.html
#pragma once

#include "coffer/ops/family/random.hpp"

namespace coffer::ops {

struct RandomNormal : RandomOp<Distribution::kNormal, false> {
    static constexpr AttrSpec attrs[] = {AttrSpec::optional("dtype", AttrSpec::kInt), AttrSpec::f("mean", 0),
                                         AttrSpec::f("scale", 1), AttrSpec::optional("seed", AttrSpec::kFloat),
                                         AttrSpec::must("shape", AttrSpec::kInts)};
    static constexpr Facts facts{.domain = "",
                                 .name = "RandomNormal",
                                 .since = 22,
                                 .min_inputs = 0,
                                 .max_inputs = 0,
                                 .min_outputs = 1,
                                 .max_outputs = 1,
                                 .attrs = attrs,
                                 .deterministic = false};
};

}  // namespace coffer::ops
