// Each channel of each sample normalized, scaled and shifted.
// https://onnx.ai/onnx/operators/onnx__InstanceNormalization.html
#pragma once

#include "coffer/ops/family/norm_channels.hpp"

namespace coffer::ops {

struct InstanceNormalization {
    static constexpr AttrSpec attrs[] = {AttrSpec::f("epsilon", 1e-5f)};
    static constexpr Facts facts{.domain = "",
                                 .name = "InstanceNormalization",
                                 .since = 22,
                                 .min_inputs = 3,
                                 .max_inputs = 3,
                                 .min_outputs = 1,
                                 .max_outputs = 1,
                                 .attrs = attrs,
                                 .atol = 1e-5,
                                 .rtol = 1e-4,
                                 .inplace_input = 0};

    static Status infer(InferContext& c) {
        return infer_channel_norm(c, c.shape(0).rank() > 1 ? std::max<int64_t>(c.shape(0)[1], 1) : 1);
    }
    static Status reference(RunContext& c) { return channel_norm_reference(c, c.input(0).shape[1]); }
    static Status plan(PlanContext& c) { return plan_channel_norm(c, c.input(0).shape[1]); }
    static constexpr Variant variants[] = {{"group_norm_f32", &accepts_channel_norm, &plan}};
    template <class Arch>
    static constexpr kernels::KernelFn kernels[] = {&kernels::group_norm_f32<Arch>};
};

}  // namespace coffer::ops
