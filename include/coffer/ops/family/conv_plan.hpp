// Plans fp32 convolutions on channels-last data: 1x1 as a plain matrix product, depthwise, everything else as
// an implicit product. Ops list their kernels in the order of GemmSlot, then ConvSlot.
#pragma once

#include "coffer/kernels/conv_params.hpp"
#include "coffer/ops/family/conv.hpp"
#include "coffer/ops/family/matmul_plan.hpp"

#ifdef COFFER_ARCH
#include "coffer/kernels/conv.hpp"
#include "coffer/kernels/depthwise.hpp"
#else
namespace coffer::kernels {
template <class Arch>
bool conv_f32(const void*, void* const*, size_t, size_t);
template <class Arch>
bool depthwise_f32(const void*, void* const*, size_t, size_t);
template <class Arch>
bool conv_gather_f32(const void*, void* const*, size_t, size_t);
}  // namespace coffer::kernels
#endif

namespace coffer::ops {

enum ConvSlot : size_t { kConvSlot = kGemmSlots, kDepthwiseSlot };

// Do the bytes lie as (N, spatial, C)? With one pixel or one channel both layouts are the same.
inline bool lies_channels_last(const Type& t, Layout layout) {
    return layout == Layout::kChannelsLast || t.shape[1] == 1 || t.shape.elements(2, t.shape.rank()) == 1;
}

// What Conv and FusedConv share; `residual` is an input or absent.
struct ConvOperands {
    bool has_bias = false, has_residual = false;
    kernels::EpilogueParams epilogue;
    Operand bias() const { return has_bias ? Operand::input(2) : Operand::at(nullptr); }
    Operand residual() const { return has_residual ? Operand::input(3) : Operand::at(nullptr); }
};

inline void set_axes(const ConvShape& s, kernels::ConvAxis (&axes)[3]) {
    for (int i = 0; i < s.spatial; ++i) {
        const Window& a = s.axes[i];
        axes[3 - s.spatial + i] = {a.in, a.out, a.kernel, a.stride, a.dilation, a.pad_begin};
    }
}

inline bool accepts_conv(const PlanContext& c, size_t inputs) {
    if (!all_float32(c) || c.input(0).shape.rank() > 5) return false;
    if (!lies_channels_last(c.input(0), c.input_layout(0))) return false;
    if (!lies_channels_last(c.output(0), c.output_layout(0))) return false;
    if (inputs > 3 && c.has_input(3) && !lies_channels_last(c.input(3), c.input_layout(3))) return false;
    return c.input(0).shape[1] > 0;
}
inline Result<ConvShape> conv_shape(const PlanContext& c) {
    return ConvShape::of(c, c.input(0).shape, c.input(1).shape);
}
// Every output pixel reads exactly the input pixel of the same number.
inline bool is_pointwise(const ConvShape& s) {
    for (int i = 0; i < s.spatial; ++i) {
        const Window& a = s.axes[i];
        if (a.kernel != 1 || a.stride != 1 || a.pad_begin != 0 || a.pad_end != 0) return false;
    }
    return true;
}
inline bool is_depthwise(const ConvShape& s) {
    return s.group > 1 && s.group_channels() == 1 && s.group_outputs() == 1;
}

// Weights (M, C / group, taps) as panels of one group.
inline kernels::PackParams conv_packing(const ConvShape& s, kernels::Panels panels) {
    kernels::PackParams p;
    const auto taps = static_cast<size_t>(s.taps()), channels = static_cast<size_t>(s.group_channels());
    p.panels = panels;
    p.taps = taps;
    p.channels = channels;
    p.tap_stride = 1;
    p.c_stride = taps;
    p.n_stride = channels * taps;
    p.batch_stride = static_cast<size_t>(s.group_outputs()) * channels * taps;
    return p;
}

inline double conv_flops(const ConvShape& s) {
    return 2.0 * static_cast<double>(s.batch * s.out_pixels()) * static_cast<double>(s.taps()) *
           static_cast<double>(s.group_channels()) * static_cast<double>(s.outputs);
}

inline Status plan_pointwise(PlanContext& c, const ConvShape& s, const ConvOperands& spec) {
    kernels::GemmParams p;
    p.m = static_cast<size_t>(s.batch * s.in_pixels());
    p.rows = kernels::block_rows(p.m, kernels::tile_of(c.arch()));
    p.k = static_cast<size_t>(s.group_channels());
    p.panels = kernels::Panels::split(kernels::tile_of(c.arch()), static_cast<size_t>(s.group_outputs()), p.k);
    p.lda = static_cast<size_t>(s.channels);
    p.ldc = static_cast<size_t>(s.outputs);
    p.batch = p.dims[0] = static_cast<size_t>(s.group);
    p.batch_rank = 1;
    p.a_stride[0] = p.k;
    p.b_stride[0] = p.panels.size();
    p.c_stride[0] = p.bias_stride = p.panels.n;
    p.epilogue = spec.epilogue;
    p.epilogue.residual_ld = p.ldc;
    COFFER_TRY_ASSIGN(const Operand weights, plan_panels(c, 1, conv_packing(s, p.panels), p.batch));
    const Operand operands[] = {Operand::input(0), weights,         Operand::output(0),
                                spec.bias(),       spec.residual(), Operand::at(nullptr)};
    c.step(c.kernel(kGemmSlot), c.params(p), operands, p.units(),
           conv_flops(s) / static_cast<double>(p.units()) / 50);
    return {};
}

inline kernels::ConvParams conv_params(const ConvShape& s, const ConvOperands& spec) {
    kernels::ConvParams p;
    set_axes(s, p.axes);
    p.batch = static_cast<size_t>(s.batch);
    p.groups = static_cast<size_t>(s.group);
    p.channels = static_cast<size_t>(s.channels);
    p.group_channels = static_cast<size_t>(s.group_channels());
    p.outputs = static_cast<size_t>(s.outputs);
    p.group_outputs = static_cast<size_t>(s.group_outputs());
    p.epilogue = spec.epilogue;
    p.epilogue.residual_ld = p.outputs;
    return p;
}

inline Status plan_depthwise(PlanContext& c, const ConvShape& s, const ConvOperands& spec) {
    kernels::ConvParams p = conv_params(s, spec);
    const size_t lanes = kernels::tile_of(c.arch()).lanes, taps = static_cast<size_t>(s.taps());
    p.panels = {p.channels, taps, lanes, lanes, lanes, (p.channels + lanes - 1) / lanes};
    kernels::PackParams pack = conv_packing(s, p.panels);
    COFFER_TRY_ASSIGN(const Operand weights, plan_panels(c, 1, pack, 1));
    const Operand operands[] = {Operand::input(0), weights, Operand::output(0), spec.bias(), spec.residual()};
    const auto rows = p.batch * static_cast<size_t>(p.axes[0].out * p.axes[1].out);
    c.step(c.kernel(kDepthwiseSlot), c.params(p), operands, rows, conv_flops(s) / static_cast<double>(rows) / 15);
    return {};
}

inline Status plan_implicit(PlanContext& c, const ConvShape& s, const ConvOperands& spec) {
    kernels::ConvParams p = conv_params(s, spec);
    const kernels::ConvAxis &d = p.axes[0], &h = p.axes[1], &w = p.axes[2];
    // Few channels make short taps: a kernel row at a time is longer, at the price of copies at the border.
    p.joined = s.group == 1 && w.dilation == 1 && w.kernel > 1 && s.channels < 32;
    p.taps = static_cast<size_t>(d.kernel * h.kernel * (p.joined ? 1 : w.kernel));
    p.tap_floats = p.group_channels * static_cast<size_t>(p.joined ? w.kernel : 1);
    const size_t limit = p.joined ? kernels::kJoinedFloats : kernels::kBlockDepth;
    p.gathered = p.joined && p.tap_floats < 32;
    const auto row_floats = static_cast<size_t>(w.kernel) * p.group_channels;
    const bool rows_fit = row_floats <= kernels::kBlockDepth && static_cast<size_t>(w.kernel) <= kernels::kSliceTaps;
    if (!p.joined && s.group == 1 && w.dilation == 1 && w.kernel > 1 && rows_fit) {
        // Whole kernel rows in a slice, so that their taps can be read as one where no border is near.
        p.merge = static_cast<size_t>(w.kernel);
        const size_t kernel_rows = p.taps / p.merge;
        const size_t most = std::min(kernels::kSliceTaps / p.merge, limit / row_floats);
        const size_t slices = (kernel_rows + most - 1) / most;
        p.slice_taps = (kernel_rows + slices - 1) / slices * p.merge;
        p.slice_floats = p.tap_floats;
    } else if (p.tap_floats <= limit) {
        const size_t most = std::min(kernels::kSliceTaps, limit / p.tap_floats);
        const size_t slices = (p.taps + most - 1) / most;
        p.slice_taps = (p.taps + slices - 1) / slices;
        p.slice_floats = p.tap_floats;
    } else {
        const size_t slices = (p.tap_floats + limit - 1) / limit;
        p.slice_taps = 1;
        p.slice_floats = std::min(limit, round_up<size_t>((p.tap_floats + slices - 1) / slices, 4));
    }
    p.rows = kernels::block_rows(p.pixels(), kernels::tile_of(c.arch()));
    const size_t depth = static_cast<size_t>(s.taps()) * p.group_channels;
    p.panels = kernels::Panels::split(kernels::tile_of(c.arch()), p.group_outputs, depth);
    COFFER_TRY_ASSIGN(const Operand weights, plan_panels(c, 1, conv_packing(s, p.panels), p.groups));
    const Operand operands[] = {Operand::input(0), weights, Operand::output(0), spec.bias(), spec.residual()};
    const size_t units = p.groups * p.row_blocks() * p.panel_blocks();
    c.step(c.kernel(kConvSlot), c.params(p), operands, units, conv_flops(s) / static_cast<double>(units) / 50);
    return {};
}

inline Status plan_conv(PlanContext& c, const ConvOperands& spec) {
    if (c.output(0).shape.elements() == 0) return {};
    COFFER_TRY_ASSIGN(const ConvShape s, conv_shape(c));
    if (is_pointwise(s)) return plan_pointwise(c, s, spec);
    if (is_depthwise(s)) return plan_depthwise(c, s, spec);
    return plan_implicit(c, s, spec);
}

}  // namespace coffer::ops
