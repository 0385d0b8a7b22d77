// Moves blocks of pixels into channels. https://onnx.ai/onnx/operators/onnx__SpaceToDepth.html
#pragma once

#include "coffer/ops/family/move_blocks.hpp"

namespace coffer::ops {

struct SpaceToDepth : FastMoveOp<SpaceToDepth> {
    static constexpr AttrSpec attrs[] = {AttrSpec::must("blocksize", AttrSpec::kInt), AttrSpec::s("mode", "DCR")};
    static constexpr Facts facts{.domain = "",
                                 .name = "SpaceToDepth",
                                 .since = 28,
                                 .min_inputs = 1,
                                 .max_inputs = 1,
                                 .min_outputs = 1,
                                 .max_outputs = 1,
                                 .attrs = attrs,
                                 .layout = LayoutRule::kAxis,
                                 .atol = 0,
                                 .rtol = 0};

    static Status move(MoveContext& m) { return move_blocks<true>(m); }
};

}  // namespace coffer::ops
