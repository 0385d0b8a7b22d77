// Softmax, LogSoftmax and Hardmax: one line along `axis` at a time. An op gives facts and
// `static constexpr SoftmaxKind kind`.
#pragma once

#include <cmath>
#include <limits>

#include "coffer/kernels/softmax_params.hpp"
#include "coffer/ops/family/types.hpp"
#ifdef COFFER_ARCH
#include "coffer/kernels/softmax.hpp"
#endif

namespace coffer::ops {

enum class SoftmaxKind : uint8_t { kSoftmax, kLogSoftmax, kHardmax };

inline constexpr AttrSpec kSoftmaxAttrs[] = {AttrSpec::i("axis", -1)};

constexpr Facts softmax_facts(const char* name) {
    return {.domain = "",
            .name = name,
            .since = 13,
            .min_inputs = 1,
            .max_inputs = 1,
            .min_outputs = 1,
            .max_outputs = 1,
            .attrs = kSoftmaxAttrs,
            .layout = LayoutRule::kAxis,
            .atol = 5e-6,
            .inplace_input = 0};
}

inline Status infer_softmax(InferContext& c) {
    COFFER_TRY(expect_type(c, 0, kFloats));
    int axis = 0;
    const int rank = c.shape(0).rank();
    if (!normalize_axis(c.attr_i("axis"), rank, &axis)) {
        return c.fail("axis ", c.attr_i("axis"), " is outside a rank of ", rank);
    }
    c.set(0, c.dtype(0), c.shape(0));
    return {};
}

// n elements from `base`, `stride` apart.
inline void softmax_line(SoftmaxKind kind, const TensorView& src, const TensorView& dst, int64_t base, int64_t n,
                         int64_t stride) {
    int64_t where = 0;
    double largest = load_double(src, base);
    for (int64_t k = 1; k < n; ++k) {
        const double x = load_double(src, base + k * stride);
        if (x > largest || (x != x && largest == largest)) largest = x, where = k;
    }
    double sum = 0;
    for (int64_t k = 0; k < n; ++k) sum += std::exp(load_double(src, base + k * stride) - largest);
    for (int64_t k = 0; k < n; ++k) {
        const int64_t i = base + k * stride;
        const double x = load_double(src, i) - largest;
        store_double(dst, i,
                     kind == SoftmaxKind::kHardmax      ? (k == where ? 1 : 0)
                     : kind == SoftmaxKind::kLogSoftmax ? x - std::log(sum)
                                                        : std::exp(x) / sum);
    }
}

inline Status softmax_reference(RunContext& c, SoftmaxKind kind) {
    const TensorView& src = c.input(0);
    int axis = 0;
    (void)normalize_axis(c.attr_i("axis"), src.shape.rank(), &axis);
    const int64_t n = src.shape[axis], inner = src.shape.elements(axis + 1, src.shape.rank());
    const int64_t lines = n == 0 ? 0 : src.elements() / n;
    for (int64_t i = 0; i < lines; ++i) {
        softmax_line(kind, src, c.output(0), i / inner * n * inner + i % inner, n, inner);
    }
    return {};
}

inline bool accepts_softmax(const PlanContext& c) {
    return c.input(0).dtype == DType::kFloat && c.input_layout(0) == c.output_layout(0);
}
inline Status plan_softmax(PlanContext& c, bool log) {
    const Shape dims = c.input_dims(0);
    if (dims.elements() == 0) return {};
    int axis = 0;
    (void)normalize_axis(c.attr_i("axis"), dims.rank(), &axis);
    // Memory order is N, spatial..., C.
    if (c.input_layout(0) == Layout::kChannelsLast && axis > 0) axis = axis == 1 ? dims.rank() - 1 : axis - 1;
    kernels::SoftmaxParams p;
    p.n = static_cast<size_t>(dims[axis]);
    p.inner = static_cast<size_t>(dims.elements(axis + 1, dims.rank()));
    p.outer = static_cast<size_t>(dims.elements(0, axis));
    p.log = log;
    const Operand operands[] = {Operand::input(0), Operand::output(0)};
    c.step(c.kernel(0), c.params(p), operands, p.units(), 4000);
    return {};
}

template <class Op>
struct Softmaxes {
    static Status infer(InferContext& c) { return infer_softmax(c); }
    static Status reference(RunContext& c) { return softmax_reference(c, Op::kind); }
};

template <class Op>
struct SoftmaxesFast : Softmaxes<Op> {
    static Status plan(PlanContext& c) { return plan_softmax(c, Op::kind == SoftmaxKind::kLogSoftmax); }
    static constexpr Variant variants[] = {{"softmax_f32", &accepts_softmax, &plan}};
    template <class Arch>
    static constexpr kernels::KernelFn kernels[] = {&kernels::softmax_f32<Arch>};
};

}  // namespace coffer::ops
