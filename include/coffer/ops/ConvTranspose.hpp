// Transposed convolution. https://onnx.ai/onnx/operators/onnx__ConvTranspose.html
#pragma once

#include "coffer/ops/family/conv_plan.hpp"

namespace coffer::ops {

struct ConvTranspose {
    static constexpr AttrSpec attrs[] = {kConvAttrs[0],
                                         kConvAttrs[1],
                                         kConvAttrs[2],
                                         kConvAttrs[3],
                                         kConvAttrs[4],
                                         kConvAttrs[5],
                                         AttrSpec::optional("output_padding", AttrSpec::kInts),
                                         AttrSpec::optional("output_shape", AttrSpec::kInts)};
    static constexpr Facts facts{.domain = "",
                                 .name = "ConvTranspose",
                                 .since = 22,
                                 .min_inputs = 2,
                                 .max_inputs = 3,
                                 .min_outputs = 1,
                                 .max_outputs = 1,
                                 .attrs = attrs,
                                 .layout = LayoutRule::kChannels,
                                 .atol = 1e-4,
                                 .rtol = 1e-4};

    static Status infer(InferContext& c) {
        COFFER_TRY(check_conv_types(c));
        COFFER_TRY_ASSIGN(const ConvShape s, ConvShape::transposed(c, c.shape(0), c.shape(1)));
        COFFER_TRY(check_conv_bias(c, s));
        c.set(0, c.dtype(0), s.output());
        return {};
    }

    static Status reference(RunContext& c) {
        COFFER_TRY_ASSIGN(const ConvShape s, ConvShape::transposed(c, c.input(0).shape, c.input(1).shape));
        const int64_t taps = s.taps();
        const auto weight = [&](int64_t m, int64_t k, int64_t tap) {
            const int64_t channel = m / s.group_outputs() * s.group_channels() + k;
            return (channel * s.group_outputs() + m % s.group_outputs()) * taps + tap;
        };
        reference_conv(c, s, conv_transpose_source, weight, [&](int64_t, int64_t m, double sum) {
            return c.has_input(2) ? sum + load_double(c.input(2), m) : sum;
        });
        return {};
    }

    static bool accepts(const PlanContext& c) { return accepts_conv(c, 3); }

    // Every input pixel times every tap by one product, then each output pixel gathers what reaches it.
    static Status plan(PlanContext& c) {
        if (c.output(0).shape.elements() == 0) return {};
        COFFER_TRY_ASSIGN(const ConvShape s, ConvShape::transposed(c, c.input(0).shape, c.input(1).shape));
        const kernels::Tile tile = kernels::tile_of(c.arch());
        const auto taps = static_cast<size_t>(s.taps()), groups = static_cast<size_t>(s.group);
        const auto per_group = static_cast<size_t>(s.group_outputs()), outputs = static_cast<size_t>(s.outputs);
        // Many output channels: one product a tap, so that the gather reads whole vectors. Few: all in one.
        const bool by_tap = per_group >= tile.lanes;
        kernels::GemmParams p;
        p.m = static_cast<size_t>(s.batch * s.in_pixels());
        p.rows = kernels::block_rows(p.m, tile);
        p.k = static_cast<size_t>(s.group_channels());
        p.panels = kernels::Panels::split(tile, by_tap ? per_group : per_group * taps, p.k);
        p.lda = static_cast<size_t>(s.channels);
        p.ldc = taps * outputs;
        p.batch_rank = 2;
        p.dims[0] = groups;
        p.dims[1] = by_tap ? taps : 1;
        p.batch = p.dims[0] * p.dims[1];
        p.a_stride[0] = p.k;
        p.b_stride[0] = p.dims[1] * p.panels.size();
        p.b_stride[1] = p.panels.size();
        p.c_stride[0] = p.panels.n;
        p.c_stride[1] = outputs;

        kernels::PackParams pack;
        pack.panels = p.panels;
        pack.channels = p.k;
        pack.c_stride = per_group * taps;
        pack.n_stride = by_tap ? taps : 1;
        pack.batch_stride = p.k * per_group * taps;
        pack.inner_batch = p.dims[1];
        pack.inner_stride = 1;
        COFFER_TRY_ASSIGN(const Operand weights, plan_panels(c, 1, pack, p.batch));

        size_t bytes = 0;
        if (!checked_mul(p.m, p.ldc, &bytes) || !checked_mul(bytes, sizeof(float), &bytes)) {
            return c.fail("intermediate products are too large");
        }
        const Operand products = Operand::workspace(c.workspace(bytes));
        const Operand none = Operand::at(nullptr);
        const Operand gemm_operands[] = {Operand::input(0), weights, products, none, none, none};
        if (p.units() > 0) {
            const double flops = 2.0 * static_cast<double>(p.m) * static_cast<double>(p.k) *
                                 static_cast<double>(p.panels.n) * static_cast<double>(p.batch);
            c.step(c.kernel(kGemmSlot), c.params(p), gemm_operands, p.units(),
                   flops / static_cast<double>(p.units()) / 50);
        }
        kernels::ConvTransposeParams g;
        set_axes(s, g.axes);
        g.batch = static_cast<size_t>(s.batch);
        g.outputs = outputs;
        g.pixel_stride = p.ldc;
        g.tap_stride = by_tap ? outputs : 1;
        g.output_stride = by_tap ? 1 : taps;
        const Operand operands[] = {products, Operand::output(0), c.has_input(2) ? Operand::input(2) : none};
        const size_t rows = g.batch * static_cast<size_t>(g.axes[0].out * g.axes[1].out);
        c.step(c.kernel(kGatherSlot), c.params(g), operands, rows,
               static_cast<double>(s.axes[s.spatial - 1].out * s.outputs) * static_cast<double>(taps) * 0.1);
        return {};
    }
    static constexpr Variant variants[] = {{"conv_transpose_f32", &accepts, &plan}};
    static constexpr size_t kGatherSlot = kGemmSlots;
    template <class Arch>
    static constexpr kernels::KernelFn kernels[] = {&kernels::gemm_f32<Arch>, &kernels::pack_panels_f32<Arch>,
                                                    &kernels::transpose_f32<Arch>, &kernels::conv_gather_f32<Arch>};
};

}  // namespace coffer::ops
