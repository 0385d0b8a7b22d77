// Mean over all spatial axes. https://onnx.ai/onnx/operators/onnx__GlobalAveragePool.html
#pragma once

#include "coffer/ops/family/pool_fast.hpp"

namespace coffer::ops {

struct GlobalAveragePool : GlobalPool<GlobalAveragePool>,
                           GlobalPoolFast<GlobalAveragePool, kernels::PoolKind::kAverage> {
    static constexpr Facts facts{.domain = "",
                                 .name = "GlobalAveragePool",
                                 .since = 22,
                                 .min_inputs = 1,
                                 .max_inputs = 1,
                                 .min_outputs = 1,
                                 .max_outputs = 1,
                                 .layout = LayoutRule::kFollow};
    static constexpr double start = 0;

    explicit GlobalAveragePool(const NodeContext&) {}
    static Status check(const NodeContext&) { return {}; }
    double fold(double sum, double x) const { return sum + x; }
    double finish(double sum, double n) const { return sum / n; }
};

}  // namespace coffer::ops
