// The Fourier transform along an axis, its inverse, or the half of it that real signals need.
// https://onnx.ai/onnx/operators/onnx__DFT.html
#pragma once

#include "coffer/ops/family/move_dft.hpp"

namespace coffer::ops {

struct DFT : MoveOp<DFT> {
    static constexpr AttrSpec attrs[] = {AttrSpec::i("inverse", 0), AttrSpec::i("onesided", 0)};
    static constexpr Facts facts{.domain = "",
                                 .name = "DFT",
                                 .since = 20,
                                 .min_inputs = 1,
                                 .max_inputs = 3,
                                 .min_outputs = 1,
                                 .max_outputs = 1,
                                 .attrs = attrs,
                                 .atol = 1e-4,
                                 .rtol = 1e-4};

    static Status move(MoveContext& m) {
        const Shape& x = m.shape(0);
        const DType dtype = m.dtype(0);
        const bool inverse = m.node().attr_i("inverse") != 0, onesided = m.node().attr_i("onesided") != 0;
        if (!is_floating(dtype)) return m.fail("type ", dtype);
        if (x.rank() < 2 || (x.back() != 1 && x.back() != 2)) return m.fail("input ", x, " does not end in 1 or 2");
        const bool half_input = onesided && inverse;  // the other half of the spectrum is its mirror image
        if (onesided && x.back() != (inverse ? 2 : 1))
            return m.fail("onesided ", inverse ? "inverse" : "forward", " transform of ", x);
        int64_t given_axis = -2, n = 0;
        bool known = true;
        if (m.has_input(2)) {
            COFFER_TRY_ASSIGN(known, m.scalar(2, &given_axis));
        }
        bool length_known = true;
        if (m.has_input(1)) {
            COFFER_TRY_ASSIGN(length_known, m.scalar(1, &n));
        }
        if (!known || !length_known) return m.unknown(0, dtype);
        COFFER_TRY_ASSIGN(const int axis, m.axis(given_axis, x.rank()));
        if (axis == x.rank() - 1) return m.fail("axis ", given_axis, " holds the complex parts");
        if (!m.has_input(1)) n = half_input ? 2 * (x[axis] - 1) : x[axis];
        if (n < 1 || n > INT32_MAX) return m.fail("dft_length ", n);
        Shape to = x;
        to[axis] = onesided && !inverse ? n / 2 + 1 : n;
        to[x.rank() - 1] = half_input ? 1 : 2;
        COFFER_TRY(m.output(0, dtype, to));
        if (!m.running()) return {};
        COFFER_TRY_ASSIGN(double* const roots, unit_roots(m, n));
        const TensorView &src = *m.value(0), &dst = m.result(0);
        const int64_t inner = x.elements(axis + 1, x.rank() - 1), parts = x.back(), out_parts = to.back(),
                      dim = x[axis];
        // A longer transform pads with zeros, which add nothing.
        const int64_t given = std::min(dim, half_input ? n / 2 + 1 : n);
        const int64_t mirror = half_input ? std::max(n / 2 + 1, n - dim + 1) : n;
        for (int64_t row = 0; row < x.elements(0, axis) * inner; ++row) {
            const int64_t outer = row / inner, in = row % inner;
            const auto read = [&](int64_t i, double* re, double* im) {
                const bool mirrored = half_input && i > n / 2;
                const int64_t at = mirrored ? n - i : i;
                const int64_t e = ((outer * dim + at) * inner + in) * parts;
                *re = load_double(src, e);
                if (parts == 2) *im = mirrored ? -load_double(src, e + 1) : load_double(src, e + 1);
            };
            for (int64_t k = 0; k < to[axis]; ++k) {
                double re = 0, im = 0;
                const int sign = inverse ? 1 : -1;
                dft_bin(roots, n, k, sign, 0, given, read, &re, &im);
                dft_bin(roots, n, k, sign, mirror, n, read, &re, &im);
                const double scale = inverse ? 1 / static_cast<double>(n) : 1;
                const int64_t e = ((outer * to[axis] + k) * inner + in) * out_parts;
                store_double(dst, e, re * scale);
                if (out_parts == 2) store_double(dst, e + 1, im * scale);
            }
        }
        return {};
    }
};

}  // namespace coffer::ops
