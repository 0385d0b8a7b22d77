// Largest value over all spatial axes. https://onnx.ai/onnx/operators/onnx__GlobalMaxPool.html
#pragma once

#include <limits>

#include "coffer/ops/family/pool_fast.hpp"

namespace coffer::ops {

struct GlobalMaxPool : GlobalPool<GlobalMaxPool>, GlobalPoolFast<GlobalMaxPool, kernels::PoolKind::kMax> {
    static constexpr Facts facts{.domain = "",
                                 .name = "GlobalMaxPool",
                                 .since = 22,
                                 .min_inputs = 1,
                                 .max_inputs = 1,
                                 .min_outputs = 1,
                                 .max_outputs = 1,
                                 .layout = LayoutRule::kFollow,
                                 .atol = 0,
                                 .rtol = 0};
    static constexpr double start = -std::numeric_limits<double>::infinity();

    explicit GlobalMaxPool(const NodeContext&) {}
    static Status check(const NodeContext&) { return {}; }
    double fold(double best, double x) const { return x > best ? x : best; }
    double finish(double best, double) const { return best; }
};

}  // namespace coffer::ops
