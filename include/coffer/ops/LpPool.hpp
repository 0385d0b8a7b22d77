// Lp norm of each window. https://onnx.ai/onnx/operators/onnx__LpPool.html
#pragma once

#include <cmath>

#include "coffer/ops/family/pool.hpp"

namespace coffer::ops {

struct LpPool : PoolFold<LpPool> {
    static constexpr AttrSpec kAttrs[] = {AttrSpec::must("kernel_shape", AttrSpec::kInts),
                                          AttrSpec::optional("strides", AttrSpec::kInts),
                                          AttrSpec::optional("dilations", AttrSpec::kInts),
                                          AttrSpec::optional("pads", AttrSpec::kInts),
                                          AttrSpec::s("auto_pad", "NOTSET"),
                                          AttrSpec::i("ceil_mode", 0),
                                          AttrSpec::i("p", 2)};
    static constexpr Facts facts{.domain = "",
                                 .name = "LpPool",
                                 .since = 22,
                                 .min_inputs = 1,
                                 .max_inputs = 1,
                                 .min_outputs = 1,
                                 .max_outputs = 1,
                                 .attrs = kAttrs};

    explicit LpPool(const NodeContext& c) : p_(static_cast<double>(c.attr_i("p"))) {}
    static Status check(const NodeContext& c) {
        if (c.attr_i("p") < 1) return c.fail("p is ", c.attr_i("p"), ", must be positive");
        return {};
    }
    double fold(double sum, double x) const { return sum + std::pow(std::fabs(x), p_); }
    double finish(double sum, const PoolWindow&) const { return std::pow(sum, 1 / p_); }

 private:
    double p_;
};

}  // namespace coffer::ops
