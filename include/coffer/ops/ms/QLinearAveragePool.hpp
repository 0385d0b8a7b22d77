// Average pooling of an 8-bit tensor. com.microsoft, see ContribOperators.md of ONNX Runtime.
#pragma once

#include "coffer/ops/family/pool.hpp"
#include "coffer/ops/family/qelementwise.hpp"

namespace coffer::ops::ms {

struct QLinearAveragePool {
    static constexpr AttrSpec attrs[] = {AttrSpec::s("auto_pad", "NOTSET"),
                                         AttrSpec::i("ceil_mode", 0),
                                         AttrSpec::i("channels_last", 0),
                                         AttrSpec::i("count_include_pad", 0),
                                         AttrSpec::optional("dilations", AttrSpec::kInts),
                                         AttrSpec::must("kernel_shape", AttrSpec::kInts),
                                         AttrSpec::optional("pads", AttrSpec::kInts),
                                         AttrSpec::optional("strides", AttrSpec::kInts)};
    static constexpr Facts facts{.domain = "com.microsoft",
                                 .name = "QLinearAveragePool",
                                 .since = 1,
                                 .min_inputs = 4,
                                 .max_inputs = 5,
                                 .min_outputs = 1,
                                 .max_outputs = 1,
                                 .attrs = attrs,
                                 .atol = 0,
                                 .rtol = 0};

    static Status infer(InferContext& c) {
        COFFER_TRY(expect_type(c, 0, kQBytes));
        COFFER_TRY(QScalar::check(c, 1, c.dtype(0)));
        COFFER_TRY(QScalar::check(c, 3, c.dtype(0)));
        PoolGeometry g;
        COFFER_TRY(pool_geometry(c, plain(c, c.shape(0)), &g));
        Shape out = pool_output(plain(c, c.shape(0)), g);
        if (c.attr_i("channels_last")) {
            const int64_t channels = out[1];
            for (int i = 1; i + 1 < out.rank(); ++i) out[i] = out[i + 1];
            out[out.rank() - 1] = channels;
        }
        c.set(0, c.dtype(0), out);
        return {};
    }
    static Status reference(RunContext& c) {
        const TensorView &src = c.input(0), &dst = c.output(0);
        const QScalar x = QScalar::of(c, 1), y = QScalar::of(c, 3);
        const Shape shape = plain(c, src.shape);
        PoolGeometry g;
        COFFER_TRY(pool_geometry(c, shape, &g));
        const bool last = c.attr_i("channels_last") != 0, with_padding = c.attr_i("count_include_pad") != 0;
        const int64_t channels = shape[1], area = shape.elements(2, shape.rank());
        const Shape out = pool_output(shape, g);
        const int64_t pixels = out.elements(2, out.rank());
        for (int64_t plane = 0; plane < shape[0] * channels; ++plane) {
            const int64_t n = plane / channels, channel = plane % channels;
            PoolWindow window{g};
            for (int64_t pixel = 0; pixel < pixels; ++pixel, window.next()) {
                int64_t sum = 0;
                window.each([&](const auto& position) {
                    const int64_t at = window.offset(position);
                    sum += load_int(src, last ? (n * area + at) * channels + channel : plane * area + at) - x.zero;
                });
                const auto taps = static_cast<float>(window.taps(with_padding));
                const float mean = taps == 0 ? 0 : static_cast<float>(sum) * x.scale / taps;
                store_int(dst, last ? (n * pixels + pixel) * channels + channel : plane * pixels + pixel,
                          y.quantize(mean, dst.dtype));
            }
        }
        return {};
    }

 private:
    // The shape as (N, C, spatial...).
    static Shape plain(const NodeContext& c, Shape s) {
        if (!c.attr_i("channels_last") || s.rank() < 3) return s;
        const int64_t channels = s.back();
        for (int i = s.rank() - 1; i > 1; --i) s[i] = s[i - 1];
        s[1] = channels;
        return s;
    }
};

}  // namespace coffer::ops::ms
