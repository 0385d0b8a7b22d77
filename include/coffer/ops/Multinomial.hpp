// Draws classes from rows of unnormalized log-probabilities. https://onnx.ai/onnx/operators/onnx__Multinomial.html
#pragma once

#include "coffer/ops/family/random.hpp"

namespace coffer::ops {

struct Multinomial : MoveOp<Multinomial> {
    static constexpr AttrSpec attrs[] = {AttrSpec::i("dtype", 6), AttrSpec::i("sample_size", 1),
                                         AttrSpec::optional("seed", AttrSpec::kFloat)};
    static constexpr Facts facts{.domain = "",
                                 .name = "Multinomial",
                                 .since = 22,
                                 .min_inputs = 1,
                                 .max_inputs = 1,
                                 .min_outputs = 1,
                                 .max_outputs = 1,
                                 .attrs = attrs,
                                 .deterministic = false};

    static Status move(MoveContext& m) {
        COFFER_TRY_ASSIGN(const DType dtype, dtype_attr(m.node(), "dtype", DType::kInt32));
        const Shape& x = m.shape(0);
        const int64_t samples = m.node().attr_i("sample_size");
        if (!is_floating(m.dtype(0)) || x.rank() != 2 || x[1] < 1) return m.fail("input is ", m.dtype(0), " ", x);
        if (dtype != DType::kInt32 && dtype != DType::kInt64) return m.fail("type ", dtype);
        if (samples < 0) return m.fail("sample_size ", samples);
        COFFER_TRY(m.output(0, dtype, Shape{x[0], samples}));
        if (!m.running()) return {};
        Random random(m.node());
        const int64_t n = x[1];
        COFFER_TRY_ASSIGN(std::byte* const memory, m.scratch(static_cast<size_t>(n) * sizeof(double)));
        auto* const until = reinterpret_cast<double*>(memory);  // the weights of classes [0, k] together
        for (int64_t b = 0; b < x[0]; ++b) {
            const auto logit = [&](int64_t k) { return load_double(*m.value(0), b * n + k); };
            double top = logit(0), sum = 0;
            for (int64_t k = 1; k < n; ++k) top = std::max(top, logit(k));
            for (int64_t k = 0; k < n; ++k) {
                sum += std::exp(logit(k) - top);
                until[k] = sum;
            }
            for (int64_t s = 0; s < samples; ++s) {
                const double at = random.uniform() * sum;
                store_int(m.result(0), b * samples + s, std::upper_bound(until, until + n - 1, at) - until);
            }
        }
        return {};
    }
};

}  // namespace coffer::ops
