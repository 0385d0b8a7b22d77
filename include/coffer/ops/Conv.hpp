// Convolution of any rank, grouped, dilated, strided. https://onnx.ai/onnx/operators/onnx__Conv.html
#pragma once

#include "coffer/ops/family/conv_plan.hpp"

namespace coffer::ops {

struct Conv {
    static constexpr Facts facts{.domain = "",
                                 .name = "Conv",
                                 .since = 22,
                                 .min_inputs = 2,
                                 .max_inputs = 3,
                                 .min_outputs = 1,
                                 .max_outputs = 1,
                                 .attrs = kConvAttrs,
                                 .layout = LayoutRule::kChannels,
                                 .atol = 1e-4,
                                 .rtol = 1e-4};

    static Status infer(InferContext& c) {
        COFFER_TRY(check_conv_types(c));
        COFFER_TRY_ASSIGN(const ConvShape s, ConvShape::of(c, c.shape(0), c.shape(1)));
        COFFER_TRY(check_conv_bias(c, s));
        c.set(0, c.dtype(0), s.output());
        return {};
    }

    static Status reference(RunContext& c) {
        COFFER_TRY_ASSIGN(const ConvShape s, ConvShape::of(c, c.input(0).shape, c.input(1).shape));
        reference_conv(c, s, conv_source, plain_weight(s), [&](int64_t, int64_t m, double sum) {
            return c.has_input(2) ? sum + load_double(c.input(2), m) : sum;
        });
        return {};
    }

    static bool accepts(const PlanContext& c) { return accepts_conv(c, 3); }
    static Status plan(PlanContext& c) { return plan_conv(c, {.has_bias = c.has_input(2)}); }
    static constexpr Variant variants[] = {{"conv_f32", &accepts, &plan}};
    template <class Arch>
    static constexpr kernels::KernelFn kernels[] = {&kernels::gemm_f32<Arch>, &kernels::pack_panels_f32<Arch>,
                                                    &kernels::transpose_f32<Arch>, &kernels::conv_f32<Arch>,
                                                    &kernels::depthwise_f32<Arch>};
};

}  // namespace coffer::ops
