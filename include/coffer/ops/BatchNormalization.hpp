// Channels normalized by given statistics, or in training by those of the batch, which then also update the
// running ones. https://onnx.ai/onnx/operators/onnx__BatchNormalization.html
#pragma once

#include "coffer/ops/family/norm.hpp"

namespace coffer::ops {

struct BatchNormalization {
    static constexpr AttrSpec attrs[] = {AttrSpec::f("epsilon", 1e-5f), AttrSpec::f("momentum", 0.9f),
                                         AttrSpec::i("training_mode", 0)};
    static constexpr Facts facts{.domain = "",
                                 .name = "BatchNormalization",
                                 .since = 15,
                                 .min_inputs = 5,
                                 .max_inputs = 5,
                                 .min_outputs = 1,
                                 .max_outputs = 3,
                                 .attrs = attrs,
                                 .layout = LayoutRule::kFollow,
                                 .atol = 1e-5,
                                 .rtol = 1e-4,
                                 .inplace_input = 0};

    static Status infer(InferContext& c) {
        const Shape& shape = c.shape(0);
        for (size_t i = 0; i < 5; ++i) COFFER_TRY(expect_type(c, i, kFloats));
        COFFER_TRY(expect_same_type(c, 1, 2));
        COFFER_TRY(expect_same_type(c, 3, 4));
        if (shape.rank() == 0) return c.fail("input is a scalar");
        const Shape channels{shape.rank() > 1 ? shape[1] : 1};
        for (size_t i = 1; i < 5; ++i) {
            if (!(c.shape(i) == channels)) return c.fail("input ", i, " has shape ", c.shape(i), ", not ", channels);
        }
        if (c.attr_i("training_mode") == 0 && (c.has_output(1) || c.has_output(2))) {
            return c.fail("running statistics are outputs of training_mode 1 only");
        }
        c.set(0, c.dtype(0), shape);
        c.set(1, c.dtype(3), channels);
        c.set(2, c.dtype(3), channels);
        return {};
    }

    static Status reference(RunContext& c) {
        const TensorView &src = c.input(0), &dst = c.output(0);
        const Shape& shape = src.shape;
        const bool training = c.attr_i("training_mode") != 0;
        const int64_t channels = c.input(1).elements();
        const int64_t inner = shape.rank() > 1 ? shape.elements(2, shape.rank()) : 1;
        const int64_t n = shape[0] * inner;  // elements of a channel
        const double momentum = c.attr_f("momentum"), epsilon = c.attr_f("epsilon");
        for (int64_t ch = 0; ch < channels; ++ch) {
            const auto at = [&](int64_t k) { return (k / inner * channels + ch) * inner + k % inner; };
            Moments m{load_double(c.input(3), ch), load_double(c.input(4), ch)};
            if (training) {
                const Moments old = m;
                m = moments(n, [&](int64_t k) { return load_double(src, at(k)); });
                const auto update = [&](size_t i, double before, double now) {
                    if (c.has_output(i)) store_double(c.output(i), ch, momentum * before + (1 - momentum) * now);
                };
                update(1, old.mean, m.mean);
                update(2, old.variance, m.variance);
            }
            const double factor = load_double(c.input(1), ch) / std::sqrt(m.variance + epsilon);
            for (int64_t k = 0; k < n; ++k) {
                const double x = load_double(src, at(k));
                store_double(dst, at(k), (x - m.mean) * factor + load_double(c.input(2), ch));
            }
        }
        return {};
    }

    static bool accepts(const PlanContext& c) {
        if (c.attr_i("training_mode") != 0 || c.input_layout(0) != c.output_layout(0)) return false;
        for (size_t i = 0; i < 5; ++i) {
            if (c.input(i).dtype != DType::kFloat) return false;
        }
        return true;
    }
    static Status plan(PlanContext& c) {
        const Shape& shape = c.input(0).shape;
        if (shape.elements() == 0) return {};
        kernels::ChannelAffineParams p;
        p.channels = static_cast<size_t>(c.input(1).shape.elements());
        const bool last = c.input_layout(0) == Layout::kChannelsLast;
        if (!last && shape.rank() > 1) p.inner = static_cast<size_t>(shape.elements(2, shape.rank()));
        p.rows = static_cast<size_t>(shape.elements()) / p.row();
        p.epsilon = c.attr_f("epsilon");
        const auto* params = c.params(p);
        const Operand factors = Operand::workspace(c.workspace(2 * p.channels * sizeof(float)));
        const Operand fold[] = {Operand::input(1), Operand::input(2), Operand::input(3), Operand::input(4), factors};
        c.step(c.kernel(0), params, fold, 1, static_cast<double>(p.channels) * 5);
        const Operand apply[] = {Operand::input(0), Operand::output(0), factors};
        c.step(c.kernel(1), params, apply, p.units(), 1000);
        return {};
    }
    static constexpr Variant variants[] = {{"channel_affine_f32", &accepts, &plan}};
    template <class Arch>
    static constexpr kernels::KernelFn kernels[] = {&kernels::batch_norm_factors<Arch>,
                                                    &kernels::channel_affine_f32<Arch>};
};

}  // namespace coffer::ops
