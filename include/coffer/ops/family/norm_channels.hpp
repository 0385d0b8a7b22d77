// Normalization over groups of channels, with one scale and one bias per channel: GroupNormalization, and
// InstanceNormalization, whose groups are single channels.
#pragma once

#include "coffer/ops/family/norm.hpp"

namespace coffer::ops {

// X is (N, C, ...), scale and bias are (C).
inline Status infer_channel_norm(InferContext& c, int64_t groups) {
    for (size_t i = 0; i < 3; ++i) {
        COFFER_TRY(expect_type(c, i, kFloats));
        COFFER_TRY(expect_same_type(c, 0, i));
    }
    const Shape& shape = c.shape(0);
    if (shape.rank() < 2) return c.fail("input of shape ", shape, " has no channels");
    if (groups < 1 || shape[1] % groups != 0) return c.fail(groups, " groups do not divide ", shape[1], " channels");
    const Shape channels{shape[1]};
    for (size_t i = 1; i < 3; ++i) {
        if (!(c.shape(i) == channels)) return c.fail("input ", i, " has shape ", c.shape(i), ", not ", channels);
    }
    c.set(0, c.dtype(0), shape);
    return {};
}

inline Status channel_norm_reference(RunContext& c, int64_t groups) {
    const TensorView &src = c.input(0), &dst = c.output(0);
    const Shape& shape = src.shape;
    if (src.elements() == 0) return {};
    const int64_t channels = shape[1], inner = shape.elements(2, shape.rank());
    const int64_t n = channels / groups * inner;
    const double epsilon = c.attr_f("epsilon");
    for (int64_t g = 0; g < shape[0] * groups; ++g) {
        const Moments m = moments(n, [&](int64_t k) { return load_double(src, g * n + k); });
        const double inverse = 1 / std::sqrt(m.variance + epsilon);
        for (int64_t k = 0; k < n; ++k) {
            const int64_t channel = (g * n + k) / inner % channels;
            const double scale = load_double(c.input(1), channel), bias = load_double(c.input(2), channel);
            store_double(dst, g * n + k, (load_double(src, g * n + k) - m.mean) * inverse * scale + bias);
        }
    }
    return {};
}

inline bool accepts_channel_norm(const PlanContext& c) {
    return c.input(0).dtype == DType::kFloat;
}
inline Status plan_channel_norm(PlanContext& c, int64_t groups) {
    const Shape& shape = c.input(0).shape;
    if (shape.elements() == 0) return {};
    kernels::GroupNormParams p;
    p.groups = static_cast<size_t>(groups);
    p.channels = static_cast<size_t>(shape[1] / groups);
    p.inner = static_cast<size_t>(shape.elements(2, shape.rank()));
    p.count = static_cast<size_t>(shape[0]) * p.groups;
    p.epsilon = c.attr_f("epsilon");
    const Operand operands[] = {Operand::input(0), Operand::output(0), Operand::input(1), Operand::input(2)};
    c.step(c.kernel(0), c.params(p), operands, p.units(), 3000);
    return {};
}

}  // namespace coffer::ops
