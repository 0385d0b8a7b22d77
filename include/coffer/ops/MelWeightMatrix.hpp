// Weights that turn a spectrum into mel bands: overlapping triangles.
// https://onnx.ai/onnx/operators/onnx__MelWeightMatrix.html
#pragma once

#include <cmath>

#include "coffer/ops/family/move.hpp"

namespace coffer::ops {

struct MelWeightMatrix : MoveOp<MelWeightMatrix> {
    static constexpr AttrSpec attrs[] = {AttrSpec::i("output_datatype", 1)};
    static constexpr Facts facts{.domain = "",
                                 .name = "MelWeightMatrix",
                                 .since = 17,
                                 .min_inputs = 5,
                                 .max_inputs = 5,
                                 .min_outputs = 1,
                                 .max_outputs = 1,
                                 .attrs = attrs};

    static Status move(MoveContext& m) {
        COFFER_TRY_ASSIGN(const DType dtype, dtype_attr(m.node(), "output_datatype", DType::kFloat));
        if (!is_integer(dtype) && !is_floating(dtype)) return m.fail("type ", dtype);
        int64_t count[3] = {};  // bands, DFT length, sample rate
        bool known = true;
        for (size_t i = 0; i < 3; ++i) {
            COFFER_TRY_ASSIGN(const bool one, m.scalar(i, &count[i]));
            known = known && one;
        }
        for (size_t i = 3; i < 5; ++i) {
            if (!is_floating(m.dtype(i)) || m.shape(i).elements() != 1)
                return m.fail("input ", i, " is ", m.dtype(i), " ", m.shape(i));
            known = known && m.value(i);
        }
        if (!known) return m.unknown(0, dtype);
        const auto [bands, length, rate] = count;
        const double low_hz = load_double(*m.value(3), 0), high_hz = load_double(*m.value(4), 0);
        if (bands < 1 || bands > (1 << 20) || length < 1 || length > INT64_MAX - 1 || rate < 1 || !(low_hz >= 0) ||
            !(high_hz > low_hz) || !(high_hz < 1e12)) {
            return m.fail(bands, " bands, length ", length, ", rate ", rate, ", ", low_hz, " to ", high_hz, " Hz");
        }
        const int64_t bins = length / 2 + 1;
        COFFER_TRY(m.output(0, dtype, Shape{bins, bands}));
        if (!m.running()) return {};
        const auto mel = [](double hz) { return 2595 * std::log10(1 + hz / 700); };
        const double low = mel(low_hz), step = (mel(high_hz) - low) / static_cast<double>(bands + 2);
        const auto edge = [&](int64_t i) {  // of band i, as a bin
            const double hz = 700 * (std::pow(10, (low + static_cast<double>(i) * step) / 2595) - 1);
            return std::floor(static_cast<double>(length + 1) * hz / static_cast<double>(rate));
        };
        for (int64_t band = 0; band < bands; ++band) {
            const double begin = edge(band), centre = edge(band + 1), end = edge(band + 2);
            for (int64_t k = 0; k < bins; ++k) {
                const auto x = static_cast<double>(k);
                double v = 0;
                if (x >= begin && x <= centre) v = centre == begin ? (x == centre) : (x - begin) / (centre - begin);
                if (x > centre && x < end) v = (end - x) / (end - centre);
                store_double(m.result(0), k * bands + band, v);
            }
        }
        return {};
    }
};

}  // namespace coffer::ops
