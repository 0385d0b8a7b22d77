// What the normalizations share: the statistics of a line, and the reference of those that work on rows
// (LayerNormalization and its relatives).
#pragma once

#include <cmath>

#include "coffer/kernels/norm_params.hpp"
#include "coffer/ops/family/broadcast.hpp"
#ifdef COFFER_ARCH
#include "coffer/kernels/norm.hpp"
#endif

namespace coffer::ops {

struct Moments {
    double mean = 0, variance = 0;
};
// Of f(0) .. f(n - 1); in two passes, because the difference of large squares is not accurate.
template <class F>
Moments moments(int64_t n, const F& f) {
    Moments m;
    for (int64_t i = 0; i < n; ++i) m.mean += f(i);
    m.mean /= static_cast<double>(n);
    for (int64_t i = 0; i < n; ++i) m.variance += (f(i) - m.mean) * (f(i) - m.mean);
    m.variance /= static_cast<double>(n);
    return m;
}

// Rows of X, each normalized by its own mean and variance (or by its root mean square), then scaled and shifted.
struct RowNorm {
    static constexpr size_t kNone = SIZE_MAX;
    size_t scale = 1, bias = kNone;                     // inputs
    size_t skip = kNone, skip_bias = kNone;             // inputs added to X first; skip may repeat over leading axes
    size_t mean = kNone, inverse = kNone, sum = kNone;  // outputs: statistics, and X + skip + skip_bias
    bool rms = false;                                   // no mean is taken off
};

inline bool reads(const NodeContext& c, size_t input) {
    return input != RowNorm::kNone && c.has_input(input);
}
inline bool writes(const NodeContext& c, size_t output) {
    return output != RowNorm::kNone && c.has_output(output);
}

// The first normalized axis: attribute `axis`, or the last one for ops without that attribute.
inline int norm_axis(const NodeContext& c, int rank) {
    bool has_axis = false;
    for (const AttrSpec& s : c.facts().attrs) has_axis |= std::string_view(s.name) == "axis";
    int axis = rank - 1;
    return !has_axis || normalize_axis(c.attr_i("axis"), rank, &axis) ? axis : -1;
}

inline Status expect_broadcast_to(const InferContext& c, size_t i, const Shape& target) {
    Shape shape;
    if (broadcast(c.shape(i), target, &shape) && shape == target) return {};
    return c.fail("input ", i, " of shape ", c.shape(i), " does not broadcast to ", target);
}

inline Status infer_row_norm(InferContext& c, const RowNorm& norm, DType statistics) {
    COFFER_TRY(expect_type(c, 0, kFloats));
    const Shape& shape = c.shape(0);
    const int axis = norm_axis(c, shape.rank());
    if (shape.rank() == 0 || axis < 0) return c.fail("no axis to normalize in a rank of ", shape.rank());
    for (size_t i : {norm.scale, norm.bias, norm.skip, norm.skip_bias}) {
        if (!reads(c, i)) continue;
        COFFER_TRY(expect_type(c, i, kFloats));
        if (i != norm.scale || !norm.rms) COFFER_TRY(expect_same_type(c, 0, i));
        COFFER_TRY(expect_broadcast_to(c, i, shape));
    }
    Shape rows = shape;
    for (int a = axis; a < rows.rank(); ++a) rows[a] = 1;
    c.set(0, norm.rms ? c.dtype(norm.scale) : c.dtype(0), shape);
    if (norm.mean != RowNorm::kNone) c.set(norm.mean, statistics, rows);
    if (norm.inverse != RowNorm::kNone) c.set(norm.inverse, statistics, rows);
    if (norm.sum != RowNorm::kNone) c.set(norm.sum, c.dtype(0), shape);
    return {};
}

inline Status row_norm_reference(RunContext& c, const RowNorm& norm) {
    const TensorView &src = c.input(0), &dst = c.output(0);
    const Shape& shape = src.shape;
    const int axis = norm_axis(c, shape.rank());
    const int64_t rows = shape.elements(0, axis), n = shape.elements(axis, shape.rank());
    const double epsilon = c.attr_f("epsilon");
    const auto load = [&](size_t input, int64_t i, double absent) {
        if (!reads(c, input)) return absent;
        return load_double(c.input(input), BroadcastOffset(c.input(input).shape, shape)(i));
    };
    for (int64_t r = 0; r < rows; ++r) {
        const auto x = [&](int64_t k) {
            const int64_t i = r * n + k;
            return load_double(src, i) + load(norm.skip, i, 0) + load(norm.skip_bias, i, 0);
        };
        Moments m = moments(n, x);
        if (norm.rms) m = {0, m.variance + m.mean * m.mean};
        const double inverse = 1 / std::sqrt(m.variance + epsilon);
        for (int64_t k = 0; k < n; ++k) {
            const int64_t i = r * n + k;
            const double value = x(k);  // before it is overwritten: the output may share the input's memory
            if (writes(c, norm.sum)) store_double(c.output(norm.sum), i, value);
            const double y = (value - m.mean) * inverse * load(norm.scale, i, 1) + load(norm.bias, i, 0);
            store_double(dst, i, y);
        }
        if (writes(c, norm.mean)) store_double(c.output(norm.mean), r, m.mean);
        if (writes(c, norm.inverse)) store_double(c.output(norm.inverse), r, inverse);
    }
    return {};
}

// Fast when all is float32 and scale, bias are one value per element of a row.
inline bool accepts_row_norm(const PlanContext& c, const RowNorm& norm) {
    const Shape& shape = c.input(0).shape;
    if (c.input(0).dtype != DType::kFloat || shape.elements() == 0 || !c.has_output(0)) return false;
    const int axis = norm_axis(c, shape.rank());
    for (size_t i : {norm.scale, norm.bias, norm.skip, norm.skip_bias}) {
        if (!reads(c, i)) continue;
        if (c.input(i).dtype != DType::kFloat) return false;
        // A skip may repeat over leading axes, the others repeat over all rows.
        const Shape& s = c.input(i).shape;
        bool leading = true;
        for (int a = 0; a < shape.rank(); ++a) {
            const int k = a - (shape.rank() - s.rank());
            const int64_t dim = k < 0 ? 1 : s[k];
            const bool repeats = dim == 1 && leading && (i == norm.skip ? a + 1 < shape.rank() : a < axis);
            if (repeats) continue;
            leading = false;
            if (dim != shape[a] || (i != norm.skip && a < axis)) return false;
        }
    }
    for (size_t o : {norm.mean, norm.inverse}) {
        if (writes(c, o) && c.output(o).dtype != DType::kFloat) return false;
    }
    return true;
}

inline Status plan_row_norm(PlanContext& c, const RowNorm& norm) {
    const Shape& shape = c.input(0).shape;
    kernels::RowNormParams p;
    p.n = static_cast<size_t>(shape.elements(norm_axis(c, shape.rank()), shape.rank()));
    p.rows = static_cast<size_t>(shape.elements()) / p.n;
    p.epsilon = c.attr_f("epsilon");
    p.rms = norm.rms;
    if (reads(c, norm.skip)) p.skip_rows = static_cast<size_t>(c.input(norm.skip).shape.elements()) / p.n;
    const auto in = [&](size_t i) { return reads(c, i) ? Operand::input(i) : Operand::at(nullptr); };
    const auto out = [&](size_t i) { return writes(c, i) ? Operand::output(i) : Operand::at(nullptr); };
    const Operand operands[] = {Operand::input(0), Operand::output(0), in(norm.scale),
                                in(norm.bias),     in(norm.skip),      in(norm.skip_bias),
                                out(norm.sum),     out(norm.mean),     out(norm.inverse)};
    c.step(c.kernel(0), c.params(p), operands, p.units(), 3000);
    return {};
}

// An op gives facts, infer() and `static constexpr RowNorm norm`.
template <class Op>
struct RowNormalization {
    static Status reference(RunContext& c) { return row_norm_reference(c, Op::norm); }
    static bool accepts(const PlanContext& c) { return accepts_row_norm(c, Op::norm); }
    static Status plan(PlanContext& c) { return plan_row_norm(c, Op::norm); }
    static constexpr Variant variants[] = {{"row_norm_f32", &accepts, &plan}};
    template <class Arch>
    static constexpr kernels::KernelFn kernels[] = {&kernels::row_norm_f32<Arch>};
};

// Mean and InvStdDev are in the type that `stash_type` names.
inline Status stash_type(const InferContext& c, DType* out) {
    const int64_t t = c.attr_i("stash_type");
    *out = static_cast<DType>(t);
    if (t == static_cast<int64_t>(DType::kFloat) || t == static_cast<int64_t>(DType::kBfloat16)) return {};
    return c.fail("stash_type ", t, " is neither float32 nor bfloat16");
}

}  // namespace coffer::ops
