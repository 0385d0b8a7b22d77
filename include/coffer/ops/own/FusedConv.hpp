// Conv, then residual Z and activation: act(conv(X, W) + B + Z). The attributes are those of com.microsoft
// FusedConv with the names of matmul_activation.hpp. Made by fusion passes only.
#pragma once

#include "coffer/ops/family/conv_plan.hpp"
#include "coffer/ops/family/matmul_activation.hpp"

namespace coffer::ops::own {

// Inputs: X, W, B (M), Z (shape of the output).
struct FusedConv {
    static constexpr AttrSpec attrs[] = {kConvAttrs[0],
                                         kConvAttrs[1],
                                         kConvAttrs[2],
                                         kConvAttrs[3],
                                         kConvAttrs[4],
                                         kConvAttrs[5],
                                         AttrSpec::s("activation", ""),
                                         AttrSpec::optional("activation_params", AttrSpec::kFloats)};
    static constexpr Facts facts{.domain = "ai.coffer",
                                 .name = "FusedConv",
                                 .since = 1,
                                 .min_inputs = 2,
                                 .max_inputs = 4,
                                 .min_outputs = 1,
                                 .max_outputs = 1,
                                 .attrs = attrs,
                                 .layout = LayoutRule::kChannels,
                                 .atol = 1e-4,
                                 .rtol = 1e-4};

    static Status infer(InferContext& c) {
        COFFER_TRY(check_conv_types(c));
        COFFER_TRY(activation_of(c));
        COFFER_TRY_ASSIGN(const ConvShape s, ConvShape::of(c, c.shape(0), c.shape(1)));
        COFFER_TRY(check_conv_bias(c, s));
        if (c.has_input(3) && c.shape(3) != s.output()) {
            return c.fail("residual must be ", s.output(), ", not ", c.shape(3));
        }
        c.set(0, c.dtype(0), s.output());
        return {};
    }

    static Status reference(RunContext& c) {
        COFFER_TRY_ASSIGN(const kernels::Activation act, activation_of(c));
        COFFER_TRY_ASSIGN(const ConvShape s, ConvShape::of(c, c.input(0).shape, c.input(1).shape));
        reference_conv(c, s, conv_source, plain_weight(s), [&](int64_t at, int64_t m, double sum) {
            if (c.has_input(2)) sum += load_double(c.input(2), m);
            if (c.has_input(3)) sum += load_double(c.input(3), at);
            return activation_scalar(act, sum);
        });
        return {};
    }

    static bool accepts(const PlanContext& c) { return accepts_conv(c, 4); }
    static Status plan(PlanContext& c) {
        ConvOperands spec{.has_bias = c.has_input(2), .has_residual = c.has_input(3)};
        COFFER_TRY_ASSIGN(spec.epilogue.act, activation_of(c));
        return plan_conv(c, spec);
    }
    static constexpr Variant variants[] = {{"conv_f32", &accepts, &plan}};
    template <class Arch>
    static constexpr kernels::KernelFn kernels[] = {&kernels::gemm_f32<Arch>, &kernels::pack_panels_f32<Arch>,
                                                    &kernels::transpose_f32<Arch>, &kernels::conv_f32<Arch>,
                                                    &kernels::depthwise_f32<Arch>};
};

}  // namespace coffer::ops::own
