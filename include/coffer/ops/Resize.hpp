// Resamples any axes: nearest, linear or cubic, optionally antialiased.
// https://onnx.ai/onnx/operators/onnx__Resize.html
#pragma once

#include "coffer/ops/family/move_resize_fast.hpp"

namespace coffer::ops {

struct Resize : MoveOp<Resize> {
    static constexpr AttrSpec attrs[] = {AttrSpec::i("antialias", 0),
                                         AttrSpec::optional("axes", AttrSpec::kInts),
                                         AttrSpec::s("coordinate_transformation_mode", "half_pixel"),
                                         AttrSpec::f("cubic_coeff_a", -0.75f),
                                         AttrSpec::i("exclude_outside", 0),
                                         AttrSpec::f("extrapolation_value", 0),
                                         AttrSpec::s("keep_aspect_ratio_policy", "stretch"),
                                         AttrSpec::s("mode", "nearest"),
                                         AttrSpec::s("nearest_mode", "round_prefer_floor")};
    static constexpr Facts facts{.domain = "",
                                 .name = "Resize",
                                 .since = 19,
                                 .min_inputs = 1,
                                 .max_inputs = 4,
                                 .min_outputs = 1,
                                 .max_outputs = 1,
                                 .attrs = attrs,
                                 .layout = LayoutRule::kAxis,
                                 .atol = 1e-5,
                                 .rtol = 1e-5};

    static Status move(MoveContext& m) {
        ResizeGeometry g;
        COFFER_TRY_ASSIGN(const bool known, g.set(m));
        const DType dtype = m.dtype(0);
        if (g.mode != g.kNearest && !is_floating(dtype) && !is_integer(dtype))
            return m.fail("mode needs numbers, not ", dtype);
        if (!known) return m.unknown(0, dtype);
        COFFER_TRY(m.output(0, dtype, g.to));
        if (m.planning()) return repeat(m, g);
        if (!m.running() || g.to.elements() == 0) return {};
        if (m.shape(0).elements() == 0) return m.fail("nothing to resize in ", m.shape(0));
        return sample(m, g);
    }

    using Repeat = FastMoveOp<Resize>;
    using Nearest = ResizeFast<ResizeGeometry::kNearest>;
    using Linear = ResizeFast<ResizeGeometry::kLinear>;
    static constexpr Variant variants[] = {{"copy_strided", &Repeat::accepts, &Repeat::plan},
                                           {"resize_nearest", &Nearest::accepts, &Nearest::plan},
                                           {"resize_linear_f32", &Linear::accepts, &Linear::plan}};
    template <class Arch>
    static constexpr kernels::KernelFn kernels[] = {&kernels::copy_strided<Arch>, &kernels::resize_linear_f32<Arch>,
                                                    &kernels::resize_nearest<Arch>};

 private:
    // Nearest by whole factors repeats elements: one strided copy, in any layout. Other cases are not its own.
    static Status repeat(MoveContext& m, const ResizeGeometry& g) {
        const Strides src = m.src_strides(0), dst = m.dst_strides(0, g.to);
        if (g.transform == g.kCropAndResize && !m.value(1)) return m.node().unsupported("roi depends on data");
        Box box;
        for (int a = 0; a < g.to.rank(); ++a) {
            if (g.is_still(a)) {
                box.loop(g.to[a], src[size_t(a)], dst[size_t(a)]);
                continue;
            }
            if (g.to[a] > g.kMaxPlanned) return m.node().unsupported("too long an axis to look at every place");
            const int64_t from = g.axes[a].from, factor = from > 0 ? g.to[a] / from : 0;
            bool differs = g.mode != g.kNearest || factor < 1 || factor * from != g.to[a];
            bool outside = false;
            for (int64_t x = 0; x < g.to[a] && !differs; ++x) {
                differs = g.nearest(a, g.source(a, x, &outside)) != x / factor || outside;
            }
            if (differs) return m.node().unsupported("not a repetition");
            box.loop(from, src[size_t(a)], dst[size_t(a)] * factor);
            box.loop(factor, 0, dst[size_t(a)]);
        }
        return m.copy(box);
    }

    // Per axis a table of taps (one for nearest); then each output element is the weighted sum over the box of
    // its taps.
    static Status sample(MoveContext& m, const ResizeGeometry& g) {
        const int rank = g.to.rank();
        const bool nearest = g.mode == g.kNearest;
        struct Table {
            int64_t taps;
            int64_t* index;
            double* weight;
            bool* outside;
        } tables[kMaxRank];
        for (int a = 0; a < rank; ++a) {
            const bool still = g.is_still(a);
            Table& t = tables[a];
            t.taps = nearest || still ? 1 : g.taps(a);
            int64_t n = 0;
            if (!checked_mul(t.taps, g.to[a], &n) || n > (int64_t{1} << 40))
                return m.fail("axis ", a, " needs too many taps");
            COFFER_TRY_ASSIGN(std::byte* const memory, m.scratch(static_cast<size_t>(n * 16 + g.to[a])));
            t.index = reinterpret_cast<int64_t*>(memory);
            t.weight = reinterpret_cast<double*>(memory) + n;
            t.outside = reinterpret_cast<bool*>(memory + n * 16);
            for (int64_t x = 0; x < g.to[a]; ++x) {
                t.outside[x] = false;
                t.weight[x * t.taps] = 1;
                const double at = still ? static_cast<double>(x) : g.source(a, x, &t.outside[x]);
                if (still || nearest) {
                    t.index[x * t.taps] = g.nearest(a, at);
                } else {
                    g.weigh(a, at, t.index + x * t.taps, t.weight + x * t.taps);
                }
            }
        }
        const TensorView &src = *m.value(0), &dst = m.result(0);
        const Strides step = strides_of(src.shape);
        const double extrapolated = m.node().attr_f("extrapolation_value");
        int64_t place[kMaxRank] = {};
        for (int64_t i = 0; i < dst.elements(); ++i) {
            bool outside = false;
            for (int a = 0; a < rank; ++a) outside = outside || tables[a].outside[place[a]];
            if (outside && dst.dtype != DType::kString) {
                store_double(dst, i, extrapolated);
            } else if (nearest) {
                int64_t at = 0;
                for (int a = 0; a < rank; ++a) at += tables[a].index[place[a]] * step[size_t(a)];
                copy_elements(dst, i, 1, src, at, 1, 1);
            } else {
                int64_t tap[kMaxRank] = {};
                double sum = 0;
                for (int a = 0; a >= 0;) {
                    double weight = 1;
                    int64_t at = 0;
                    for (int k = 0; k < rank; ++k) {
                        const int64_t entry = place[k] * tables[k].taps + tap[k];
                        weight *= tables[k].weight[entry];
                        at += tables[k].index[entry] * step[size_t(k)];
                    }
                    if (weight != 0) sum += weight * load_double(src, at);
                    for (a = rank - 1; a >= 0 && ++tap[a] == tables[a].taps; --a) tap[a] = 0;
                }
                store_double(dst, i, sum);
            }
            for (int a = rank - 1; a >= 0 && ++place[a] == g.to[a]; --a) place[a] = 0;
        }
        return {};
    }
};

}  // namespace coffer::ops
