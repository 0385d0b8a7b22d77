// Quantized convolutions: geometry, infer and reference for every input order (QRoles).
#pragma once

#include "coffer/ops/family/pool.hpp"
#include "coffer/ops/family/qlinear.hpp"

namespace coffer::ops {

inline constexpr AttrSpec kQConvAttrs[] = {
    AttrSpec::s("auto_pad", "NOTSET"),
    AttrSpec::optional("dilations", AttrSpec::kInts),
    AttrSpec::i("group", 1),
    AttrSpec::optional("kernel_shape", AttrSpec::kInts),
    AttrSpec::optional("pads", AttrSpec::kInts),
    AttrSpec::optional("strides", AttrSpec::kInts),
};

struct QConvShape {
    int64_t batch = 0, channels = 0, out_channels = 0, groups = 1, group_channels = 0, taps = 1;
    PoolGeometry g;
    Shape output;
};

inline Result<QConvShape> q_conv_shape(const NodeContext& c, const Shape& x, const Shape& w) {
    if (x.rank() < 3) return c.fail("input ", x, " must be (N, C, spatial...)");
    if (x[1] == 0) return c.fail("input ", x, " has no channels");
    if (w.rank() != x.rank()) return c.fail("input ", x, " and weights ", w, " differ in rank");
    QConvShape s;
    s.batch = x[0];
    s.channels = x[1];
    s.out_channels = w[0];
    s.groups = c.attr_i("group");
    s.group_channels = w[1];
    if (s.groups < 1 || s.out_channels % s.groups != 0)
        return c.fail("group ", s.groups, " does not divide weights ", w);
    int64_t channels = 0;
    if (!checked_mul(w[1], s.groups, &channels) || channels != x[1]) {
        return c.fail("input ", x, " and weights ", w, " in ", s.groups, " groups do not match");
    }
    const auto kernel = c.attr_ints("kernel_shape");
    const auto taps = w.dims().subspan(2);
    if (!kernel.empty() && kernel.size() != taps.size())
        return c.fail("kernel_shape has ", kernel.size(), " values for ", taps.size(), " spatial axes");
    if (!kernel.empty() && !std::ranges::equal(kernel, taps))
        return c.fail("kernel_shape does not match weights ", w);
    COFFER_TRY(window_geometry(c, x, taps, false, &s.g));
    s.output = pool_output({x[0], w[0]}, s.g);
    s.taps = w.elements(2, w.rank());
    COFFER_TRY(check_windowed(c, x, s.output));
    return s;
}

inline Status q_conv_infer(InferContext& c, const QRoles& r) {
    COFFER_TRY(q_check_present(c, r));
    COFFER_TRY_ASSIGN(const QConvShape s,
                      q_conv_shape(c, c.shape(static_cast<size_t>(r.x)), c.shape(static_cast<size_t>(r.w))));
    COFFER_TRY_ASSIGN(const DType type, q_check(c, r, 1, s.out_channels));
    if (q_has(c, r.bias)) {
        const Shape& bias = c.shape(static_cast<size_t>(r.bias));
        if (bias.rank() != 1 || bias[0] != s.out_channels) {
            return c.fail("bias ", bias, " should have ", s.out_channels, " elements");
        }
    }
    c.set(0, type, s.output);
    return {};
}

inline Status q_conv_reference(RunContext& c, const QRoles& r) {
    const TensorView& w = c.input(static_cast<size_t>(r.w));
    const QActivations x = QActivations::of(c, r);
    COFFER_TRY_ASSIGN(const QConvShape s, q_conv_shape(c, x.x.shape, w.shape));
    COFFER_TRY_ASSIGN(const QFinish finish, QFinish::of(c, r));
    const int64_t pixels = s.output.elements(2, s.output.rank()), area = x.x.shape.elements(2, x.x.shape.rank());
    const int64_t per_group = s.out_channels / s.groups;
    const double x_zero = x.zero_of(c, r, 0);
    for (int64_t image = 0; image < s.batch; ++image) {
        for (int64_t oc = 0; oc < s.out_channels; ++oc) {
            const double w_zero = q_parameter(c, r.w_zero, oc, 0);
            const int64_t first = image * s.channels + oc / per_group * s.group_channels;
            PoolWindow window{s.g};
            for (int64_t pixel = 0; pixel < pixels; ++pixel, window.next()) {
                double sum = 0;
                // Padding is x_zero and adds nothing.
                window.each([&](const auto& position) {
                    int64_t at = 0, tap = 0;
                    for (size_t i = 0; i < static_cast<size_t>(s.g.rank); ++i) {
                        const PoolAxis& a = s.g.axes[i];
                        at = at * a.in + position[i];
                        tap = tap * a.kernel + (position[i] - a.start(window.at[i])) / a.dilation;
                    }
                    for (int64_t ic = 0; ic < s.group_channels; ++ic) {
                        sum += (x.value((first + ic) * area + at) - x_zero) *
                               (load_double(w, (oc * s.group_channels + ic) * s.taps + tap) - w_zero);
                    }
                });
                finish(c, (image * s.out_channels + oc) * pixels + pixel, sum, 0, oc, x.scale_of(c, r, 0));
            }
        }
    }
    return {};
}

}  // namespace coffer::ops
