// Mean of each window. https://onnx.ai/onnx/operators/onnx__AveragePool.html
#pragma once

#include "coffer/ops/family/pool_fast.hpp"

namespace coffer::ops {

struct AveragePool : PoolFold<AveragePool>, PoolFast<AveragePool, kernels::PoolKind::kAverage> {
    static constexpr AttrSpec kAttrs[] = {AttrSpec::must("kernel_shape", AttrSpec::kInts),
                                          AttrSpec::optional("strides", AttrSpec::kInts),
                                          AttrSpec::optional("dilations", AttrSpec::kInts),
                                          AttrSpec::optional("pads", AttrSpec::kInts),
                                          AttrSpec::s("auto_pad", "NOTSET"),
                                          AttrSpec::i("ceil_mode", 0),
                                          AttrSpec::i("count_include_pad", 0)};
    static constexpr Facts facts{.domain = "",
                                 .name = "AveragePool",
                                 .since = 22,
                                 .min_inputs = 1,
                                 .max_inputs = 1,
                                 .min_outputs = 1,
                                 .max_outputs = 1,
                                 .attrs = kAttrs,
                                 .layout = LayoutRule::kFollow};

    explicit AveragePool(const NodeContext& c) : count_padding_(c.attr_i("count_include_pad") != 0) {}
    static Status check(const NodeContext&) { return {}; }
    double fold(double sum, double x) const { return sum + x; }
    // A window without any tap on the input (possible with dilation) averages nothing: 0.
    double finish(double sum, const PoolWindow& w) const {
        const double n = w.taps(count_padding_);
        return n > 0 ? sum / n : 0;
    }

 private:
    bool count_padding_;
};

}  // namespace coffer::ops
