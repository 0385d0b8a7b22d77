// Fast variants of pools: float32 (max also int8 and uint8), up to three spatial axes, both layouts.
#pragma once

#include "coffer/kernels/pool.hpp"
#include "coffer/ops/family/pool.hpp"

namespace coffer::ops {

template <class Op, kernels::PoolKind kind>
struct PoolFast {
    // Kernel slots: [layout][type], types float32, int8, uint8.
    static constexpr size_t slot(Layout layout, DType t) {
        return (layout == Layout::kChannelsLast ? 0 : 3) + (t == DType::kFloat ? 0 : t == DType::kInt8 ? 1 : 2);
    }
    static bool accepts(const PlanContext& c) {
        const DType t = c.input(0).dtype;
        const bool eight_bits = kind == kernels::PoolKind::kMax && (t == DType::kInt8 || t == DType::kUint8);
        if ((t != DType::kFloat && !eight_bits) || c.has_output(1) || c.input(0).shape.rank() > 5 ||
            c.input_layout(0) != c.output_layout(0)) {
            return false;
        }
        PoolGeometry g;
        if (!pool_geometry(c, c.input(0).shape, &g).ok()) return false;
        const PoolAxis& w = g.axes[static_cast<size_t>(g.rank - 1)];
        const bool row_fits =
            w.kernel <= kernels::kPoolRow / 2 && (w.kernel - 1) * w.dilation < kernels::kPoolRow / 2;
        return (c.input_layout(0) == Layout::kChannelsLast || row_fits) &&
               c.kernel(slot(c.input_layout(0), t)) != nullptr;
    }
    static Status plan(PlanContext& c) {
        PoolGeometry g;
        COFFER_TRY(pool_geometry(c, c.input(0).shape, &g));
        kernels::PoolParams p{};
        for (size_t i = 0; i < 3; ++i) p.axes[i] = {1, 1, 1, 1, 1, 0, 0};
        for (size_t i = 0; i < static_cast<size_t>(g.rank); ++i) {
            const PoolAxis& a = g.axes[i];
            p.axes[3 - static_cast<size_t>(g.rank) + i] = {a.in,       a.out,       a.kernel, a.stride,
                                                           a.dilation, a.pad_begin, a.pad_end};
        }
        const Shape& out = c.output(0).shape;
        p.channels = static_cast<size_t>(out[1]);
        if constexpr (kind == kernels::PoolKind::kAverage) p.count_padding = c.attr_i("count_include_pad") != 0;
        const bool channels_last = c.input_layout(0) == Layout::kChannelsLast;
        const auto width = static_cast<size_t>(out.back());
        const size_t positions = width == 0 ? 0 : static_cast<size_t>(out.elements()) / width;
        const size_t units = channels_last && p.channels != 0 ? positions / p.channels : positions;
        double taps = 1;
        for (size_t i = 0; i < 3; ++i) taps *= static_cast<double>(std::min(p.axes[i].kernel, p.axes[i].in));
        const Operand operands[] = {Operand::input(0), Operand::output(0)};
        c.step(c.kernel(slot(c.input_layout(0), c.input(0).dtype)), c.params(p), operands, units,
               static_cast<double>(width) * (channels_last ? static_cast<double>(p.channels) : 1.0) * taps * 0.05);
        return {};
    }
    static constexpr Variant variants[] = {{"pool", &accepts, &plan}};

    // The kernel for an 8-bit type, if this kind of pool has one.
    template <class Arch, class T, bool channels_last>
    static constexpr kernels::KernelFn eight() {
        if constexpr (kind != kernels::PoolKind::kMax)
            return nullptr;
        else if constexpr (channels_last)
            return &kernels::pool_channels_last<Arch, T, kind>;
        else
            return &kernels::pool_plain<Arch, T, kind>;
    }
    template <class Arch>
    static constexpr kernels::KernelFn kernels[] = {
        &kernels::pool_channels_last<Arch, float, kind>, eight<Arch, int8_t, true>(),  eight<Arch, uint8_t, true>(),
        &kernels::pool_plain<Arch, float, kind>,         eight<Arch, int8_t, false>(), eight<Arch, uint8_t, false>()};
};

template <class Op, kernels::PoolKind kind>
struct GlobalPoolFast {
    static bool accepts(const PlanContext& c) {
        return c.input(0).dtype == DType::kFloat && c.input(0).shape.elements() > 0 &&
               c.input_layout(0) == c.output_layout(0);
    }
    static Status plan(PlanContext& c) {
        const Shape& in = c.input(0).shape;
        const kernels::GlobalPoolParams p{static_cast<size_t>(in[1]), static_cast<size_t>(in.elements(2, in.rank()))};
        const bool channels_last = c.input_layout(0) == Layout::kChannelsLast;
        const size_t blocks =
            channels_last ? (p.channels + kernels::kGlobalPoolBlock - 1) / kernels::kGlobalPoolBlock : p.channels;
        const double per_unit =
            channels_last ? static_cast<double>(std::min(p.channels, kernels::kGlobalPoolBlock)) : 1;
        const Operand operands[] = {Operand::input(0), Operand::output(0)};
        c.step(c.kernel(channels_last ? 0 : 1), c.params(p), operands, static_cast<size_t>(in[0]) * blocks,
               per_unit * static_cast<double>(p.positions) * 0.1);
        return {};
    }
    static constexpr Variant variants[] = {{"global_pool_f32", &accepts, &plan}};
    template <class Arch>
    static constexpr kernels::KernelFn kernels[] = {&kernels::global_pool_channels_last<Arch, kind>,
                                                    &kernels::global_pool_plain<Arch, kind>};
};

}  // namespace coffer::ops
