// Moves channels into blocks of pixels. https://onnx.ai/onnx/operators/onnx__DepthToSpace.html
#pragma once

#include "coffer/ops/family/move_blocks.hpp"

namespace coffer::ops {

struct DepthToSpace : FastMoveOp<DepthToSpace> {
    static constexpr AttrSpec attrs[] = {AttrSpec::must("blocksize", AttrSpec::kInt), AttrSpec::s("mode", "DCR")};
    static constexpr Facts facts{.domain = "",
                                 .name = "DepthToSpace",
                                 .since = 28,
                                 .min_inputs = 1,
                                 .max_inputs = 1,
                                 .min_outputs = 1,
                                 .max_outputs = 1,
                                 .attrs = attrs,
                                 .layout = LayoutRule::kAxis,
                                 .atol = 0,
                                 .rtol = 0};

    static Status move(MoveContext& m) { return move_blocks<false>(m); }
};

}  // namespace coffer::ops
