// Groups of channels normalized, scaled and shifted per channel.
// https://onnx.ai/onnx/operators/onnx__GroupNormalization.html
#pragma once

#include "coffer/ops/family/norm_channels.hpp"

namespace coffer::ops {

struct GroupNormalization {
    static constexpr AttrSpec attrs[] = {AttrSpec::must("num_groups", AttrSpec::kInt), AttrSpec::f("epsilon", 1e-5f),
                                         AttrSpec::i("stash_type", 1)};
    static constexpr Facts facts{.domain = "",
                                 .name = "GroupNormalization",
                                 .since = 21,
                                 .min_inputs = 3,
                                 .max_inputs = 3,
                                 .min_outputs = 1,
                                 .max_outputs = 1,
                                 .attrs = attrs,
                                 .atol = 1e-5,
                                 .rtol = 1e-4,
                                 .inplace_input = 0};

    static Status infer(InferContext& c) {
        DType statistics = DType::kFloat;
        COFFER_TRY(stash_type(c, &statistics));
        return infer_channel_norm(c, c.attr_i("num_groups"));
    }
    static Status reference(RunContext& c) { return channel_norm_reference(c, c.attr_i("num_groups")); }
    static Status plan(PlanContext& c) { return plan_channel_norm(c, c.attr_i("num_groups")); }
    static constexpr Variant variants[] = {{"group_norm_f32", &accepts_channel_norm, &plan}};
    template <class Arch>
    static constexpr kernels::KernelFn kernels[] = {&kernels::group_norm_f32<Arch>};
};

}  // namespace coffer::ops
