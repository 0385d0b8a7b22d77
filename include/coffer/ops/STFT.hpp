// Fourier transforms of windowed frames of a signal. https://onnx.ai/onnx/operators/onnx__STFT.html
#pragma once

#include "coffer/ops/family/move_dft.hpp"

namespace coffer::ops {

struct STFT : MoveOp<STFT> {
    static constexpr AttrSpec attrs[] = {AttrSpec::i("onesided", 1)};
    static constexpr Facts facts{.domain = "",
                                 .name = "STFT",
                                 .since = 17,
                                 .min_inputs = 2,
                                 .max_inputs = 4,
                                 .min_outputs = 1,
                                 .max_outputs = 1,
                                 .attrs = attrs,
                                 .atol = 1e-4,
                                 .rtol = 1e-4};

    static Status move(MoveContext& m) {
        const Shape& x = m.shape(0);
        const DType dtype = m.dtype(0);
        if (!is_floating(dtype)) return m.fail("type ", dtype);
        if (x.rank() != 2 && !(x.rank() == 3 && (x[2] == 1 || x[2] == 2))) return m.fail("signal has shape ", x);
        const bool complex = x.rank() == 3 && x[2] == 2, onesided = m.node().attr_i("onesided") != 0;
        if (complex && onesided) return m.fail("onesided transform of a complex signal");
        int64_t step = 0, length = 0;
        COFFER_TRY_ASSIGN(bool known, m.scalar(1, &step));
        if (m.has_input(2) && (m.dtype(2) != dtype || m.rank(2) != 1))
            return m.fail("window is ", m.dtype(2), " ", m.shape(2));
        if (m.has_input(3)) {
            COFFER_TRY_ASSIGN(const bool length_known, m.scalar(3, &length));
            known = known && length_known;
        } else if (m.has_input(2)) {
            length = m.shape(2)[0];
        } else {
            return m.fail("needs a window or a frame_length");
        }
        if (!known) return m.unknown(0, dtype);
        if (step < 1 || length < 1 || length > INT32_MAX || length > x[1])
            return m.fail("frames of ", length, " every ", step, " of a signal of ", x[1]);
        if (m.has_input(2) && m.shape(2)[0] != length)
            return m.fail("window of ", m.shape(2)[0], " for frames of ", length);
        const int64_t frames = (x[1] - length) / step + 1, bins = onesided ? length / 2 + 1 : length;
        COFFER_TRY(m.output(0, dtype, Shape{x[0], frames, bins, 2}));
        if (!m.running()) return {};
        COFFER_TRY_ASSIGN(double* const roots, unit_roots(m, length));
        const TensorView& src = *m.value(0);
        const int64_t parts = complex ? 2 : 1;
        for (int64_t f = 0; f < x[0] * frames; ++f) {
            const int64_t base = f / frames * x[1] + f % frames * step;
            const auto read = [&](int64_t i, double* re, double* im) {
                const double w = m.has_input(2) ? load_double(*m.value(2), i) : 1;
                *re = w * load_double(src, (base + i) * parts);
                if (complex) *im = w * load_double(src, (base + i) * parts + 1);
            };
            for (int64_t k = 0; k < bins; ++k) {
                double re = 0, im = 0;
                dft_bin(roots, length, k, -1, 0, length, read, &re, &im);
                store_double(m.result(0), (f * bins + k) * 2, re);
                store_double(m.result(0), (f * bins + k) * 2 + 1, im);
            }
        }
        return {};
    }
};

}  // namespace coffer::ops
