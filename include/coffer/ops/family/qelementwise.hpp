// Element-wise ops on 8-bit tensors: one input by a table of 256 results, two inputs by dequantized arithmetic.
#pragma once

#include <cmath>

#include "coffer/kernels/quantize_params.hpp"
#include "coffer/ops/family/qlinear.hpp"

#ifdef COFFER_ARCH
#include "coffer/kernels/qelementwise.hpp"
#else
namespace coffer::kernels {
template <class Arch>
bool qtable(const void*, void* const*, size_t, size_t);
template <class Arch>
bool qbinary(const void*, void* const*, size_t, size_t);
}  // namespace coffer::kernels
#endif

namespace coffer::ops {

// A scale and an optional zero point, both scalars: inputs `scale` and `scale` + 1.
struct QScalar {
    float scale = 1;
    int32_t zero = 0;

    template <class Context, class Value>  // Value: input number -> const TensorView*
    static QScalar of(const Context& c, size_t scale, const Value& value) {
        QScalar s;
        s.scale = static_cast<float>(load_double(*value(scale), 0));
        if (c.has_input(scale + 1)) s.zero = static_cast<int32_t>(load_int(*value(scale + 1), 0));
        return s;
    }
    static QScalar of(const RunContext& c, size_t scale) {
        return of(c, scale, [&](size_t i) { return &c.input(i); });
    }
    static QScalar of(const PlanContext& c, size_t scale) {
        return of(c, scale, [&](size_t i) { return c.constant(i); });
    }
    static Status check(const InferContext& c, size_t scale, DType data) {
        COFFER_TRY(q_check_parameter(c, static_cast<int>(scale), 1, types(DType::kFloat), "a scale"));
        if (!c.has_input(scale)) return c.fail("input ", scale, " is missing");
        return q_check_parameter(c, static_cast<int>(scale) + 1, 1, types(data), "a zero point");
    }
    static bool known(const PlanContext& c, size_t scale) {
        return c.constant(scale) && (!c.has_input(scale + 1) || c.constant(scale + 1));
    }
    float real(int64_t q) const { return static_cast<float>(q - zero) * scale; }
    int64_t quantize(float x, DType type) const {
        const QRange r = q_range(type);
        const float low = static_cast<float>(r.low - zero), high = static_cast<float>(r.high - zero);
        return static_cast<int64_t>(std::nearbyint(std::fmin(std::fmax(x / scale, low), high))) + zero;
    }
};

// Inputs X, X_scale, X_zero_point, Y_scale, Y_zero_point; the op gives `static double real(const NodeContext&,
// double)`.
template <class Op>
struct QUnaryOp {
    static Status infer(InferContext& c) {
        COFFER_TRY(expect_type(c, 0, kQBytes));
        COFFER_TRY(QScalar::check(c, 1, c.dtype(0)));
        COFFER_TRY(QScalar::check(c, 3, c.dtype(0)));
        c.set(0, c.dtype(0), c.shape(0));
        return {};
    }
    static Status reference(RunContext& c) {
        const QScalar x = QScalar::of(c, 1), y = QScalar::of(c, 3);
        for (int64_t i = 0; i < c.output(0).elements(); ++i) {
            store_int(c.output(0), i, result(c, x, y, load_int(c.input(0), i), c.output(0).dtype));
        }
        return {};
    }
    static bool accepts(const PlanContext& c) {
        return QScalar::known(c, 1) && QScalar::known(c, 3) && c.output(0).shape.elements() > 0;
    }
    static Status plan(PlanContext& c) {
        const auto count = static_cast<size_t>(c.output(0).shape.elements());
        const DType type = c.input(0).dtype;
        const QScalar x = QScalar::of(c, 1), y = QScalar::of(c, 3);
        kernels::QTableParams p{1, count, 0, 0, {}};
        for (int i = 0; i < 256; ++i) {
            const int64_t q = type == DType::kInt8 ? static_cast<int8_t>(i) : i;
            p.table[i] = static_cast<uint8_t>(result(c, x, y, q, type));
        }
        const Operand operands[] = {Operand::input(0), Operand::output(0)};
        c.step(c.kernel(0), c.params(p), operands, (count + kernels::kQuantizeBlock - 1) / kernels::kQuantizeBlock,
               8000);
        return {};
    }
    static constexpr Variant variants[] = {{"qtable", &accepts, &plan}};
    template <class Arch>
    static constexpr kernels::KernelFn kernels[] = {&kernels::qtable<Arch>};

 private:
    static int64_t result(const NodeContext& c, const QScalar& x, const QScalar& y, int64_t q, DType type) {
        return y.quantize(static_cast<float>(Op::real(c, x.real(q))), type);
    }
};

// Inputs A, A_scale, A_zero_point, B, B_scale, B_zero_point, C_scale, C_zero_point with NumPy broadcasting;
// the op gives `kOp`. C = saturate(round((real A op real B) / C_scale) + C_zero_point), in float32.
template <class Op>
struct QBinaryOp {
    static Status infer(InferContext& c) {
        COFFER_TRY(expect_type(c, 0, kQBytes));
        COFFER_TRY(expect_same_type(c, 3, 0));
        for (const size_t scale : {1, 4, 6}) COFFER_TRY(QScalar::check(c, scale, c.dtype(0)));
        Shape out;
        if (!broadcast(c.shape(0), c.shape(3), &out)) {
            return c.fail("cannot broadcast ", c.shape(0), " with ", c.shape(3));
        }
        c.set(0, c.dtype(0), out);
        return {};
    }
    static Status reference(RunContext& c) {
        const QScalar a = QScalar::of(c, 1), b = QScalar::of(c, 4), y = QScalar::of(c, 6);
        const TensorView& dst = c.output(0);
        for (int64_t i = 0; i < dst.elements(); ++i) {
            const float x = a.real(load_int(c.input(0), broadcast_matrix(c.input(0).shape, dst.shape, i)));
            const float z = b.real(load_int(c.input(3), broadcast_matrix(c.input(3).shape, dst.shape, i)));
            store_int(dst, i, y.quantize(Op::kOp == kernels::QBinary::kAdd ? x + z : x * z, dst.dtype));
        }
        return {};
    }
    // Equal shapes, or one side a scalar or repeated along leading axes.
    static bool accepts(const PlanContext& c) {
        for (const size_t scale : {1, 4, 6}) {
            if (!QScalar::known(c, scale)) return false;
        }
        const Shape &a = c.input(0).shape, &b = c.input(3).shape, &out = c.output(0).shape;
        if (out.elements() == 0) return false;
        const bool plain = c.output_layout(0) == Layout::kPlain;
        const auto simple = [&](size_t i, const Shape& s) {
            return s.elements() == 1 || (s == out && c.input_layout(i) == c.output_layout(0)) ||
                   (plain && c.input_layout(i) == Layout::kPlain && is_suffix(s, out));
        };
        return simple(0, a) && simple(3, b);
    }
    static Status plan(PlanContext& c) {
        const QScalar a = QScalar::of(c, 1), b = QScalar::of(c, 4), y = QScalar::of(c, 6);
        const auto count = static_cast<size_t>(c.output(0).shape.elements());
        const auto a_count = static_cast<size_t>(c.input(0).shape.elements());
        const auto b_count = static_cast<size_t>(c.input(3).shape.elements());
        size_t inner = count;
        for (const size_t n : {a_count, b_count}) {
            if (n > 1) inner = std::min(inner, n);
        }
        kernels::QBinaryParams p{};
        p.outer = count / inner;
        p.inner = inner;
        p.a_row = a_count == count ? inner : 0;
        p.b_row = b_count == count ? inner : 0;
        p.a_one = a_count == 1;
        p.b_one = b_count == 1;
        p.is_signed = c.input(0).dtype == DType::kInt8;
        p.op = Op::kOp;
        p.a_scale = a.scale;
        p.b_scale = b.scale;
        p.c_scale = y.scale;
        p.a_zero = a.zero;
        p.b_zero = b.zero;
        p.c_zero = y.zero;
        const Operand operands[] = {Operand::input(0), Operand::input(3), Operand::output(0)};
        c.step(c.kernel(0), c.params(p), operands,
               p.outer * ((inner + kernels::kQuantizeBlock - 1) / kernels::kQuantizeBlock), 8000);
        return {};
    }
    static constexpr Variant variants[] = {{"qbinary_8", &accepts, &plan}};
    template <class Arch>
    static constexpr kernels::KernelFn kernels[] = {&kernels::qbinary<Arch>};

 private:
    static bool is_suffix(const Shape& s, const Shape& of) {
        int i = 0;  // leading ones do not count
        while (i < s.rank() && s[i] == 1) ++i;
        const int rank = s.rank() - i;
        for (int k = 1; k <= rank; ++k) {
            if (s[s.rank() - k] != of[of.rank() - k]) return false;
        }
        return true;
    }
};

}  // namespace coffer::ops
