// Lp norm over all spatial axes. https://onnx.ai/onnx/operators/onnx__GlobalLpPool.html
#pragma once

#include <cmath>

#include "coffer/ops/family/pool.hpp"

namespace coffer::ops {

struct GlobalLpPool : GlobalPool<GlobalLpPool> {
    static constexpr AttrSpec kAttrs[] = {AttrSpec::i("p", 2)};
    static constexpr Facts facts{.domain = "",
                                 .name = "GlobalLpPool",
                                 .since = 22,
                                 .min_inputs = 1,
                                 .max_inputs = 1,
                                 .min_outputs = 1,
                                 .max_outputs = 1,
                                 .attrs = kAttrs};
    static constexpr double start = 0;

    explicit GlobalLpPool(const NodeContext& c) : p_(static_cast<double>(c.attr_i("p"))) {}
    static Status check(const NodeContext& c) {
        if (c.attr_i("p") < 1) return c.fail("p is ", c.attr_i("p"), ", must be positive");
        return {};
    }
    double fold(double sum, double x) const { return sum + std::pow(std::fabs(x), p_); }
    double finish(double sum, double) const { return std::pow(sum, 1 / p_); }

 private:
    double p_;
};

}  // namespace coffer::ops
