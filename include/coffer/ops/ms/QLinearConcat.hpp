// Concatenation of 8-bit tensors, each with its own scale. com.microsoft, see ContribOperators.md of ONNX Runtime.
// Inputs Y_scale, Y_zero_point, then tensor, scale, zero point of each part.
#pragma once

#include "coffer/ops/family/qelementwise.hpp"

namespace coffer::ops::ms {

struct QLinearConcat {
    static constexpr AttrSpec attrs[] = {AttrSpec::must("axis", AttrSpec::kInt)};
    static constexpr Facts facts{.domain = "com.microsoft",
                                 .name = "QLinearConcat",
                                 .since = 1,
                                 .min_inputs = 5,
                                 .max_inputs = kVariadic,
                                 .min_outputs = 1,
                                 .max_outputs = 1,
                                 .attrs = attrs,
                                 .atol = 0,
                                 .rtol = 0};

    static Status infer(InferContext& c) {
        if (c.input_count() % 3 != 2) return c.fail("takes 2 + 3 n inputs, the node has ", c.input_count());
        for (size_t i = 0; i < c.input_count(); ++i) {
            if (!c.has_input(i)) return c.fail("input ", i, " is missing");
        }
        COFFER_TRY(expect_type(c, 2, kQBytes));
        COFFER_TRY(QScalar::check(c, 0, c.dtype(2)));
        Shape out = c.shape(2);
        int axis = 0;
        if (!normalize_axis(c.attr_i("axis"), out.rank(), &axis)) {
            return c.fail("axis ", c.attr_i("axis"), " of a tensor of shape ", out);
        }
        out[axis] = 0;
        for (size_t i = 2; i < c.input_count(); i += 3) {
            COFFER_TRY(expect_same_type(c, i, 2));
            COFFER_TRY(QScalar::check(c, i + 1, c.dtype(2)));
            Shape part = c.shape(i);
            if (part.rank() != out.rank() || !checked_add(out[axis], part[axis], &out[axis])) {
                return c.fail("cannot join ", c.shape(2), " and ", part);
            }
            part[axis] = out[axis];
            if (!(part == out)) return c.fail("cannot join ", c.shape(2), " and ", c.shape(i), " on axis ", axis);
        }
        c.set(0, c.dtype(2), out);
        return {};
    }
    static Status reference(RunContext& c) {
        const TensorView& dst = c.output(0);
        const QScalar y = QScalar::of(c, 0);
        int axis = 0;
        (void)normalize_axis(c.attr_i("axis"), dst.shape.rank(), &axis);
        const int64_t stride = dst.shape.elements(axis, dst.shape.rank());
        int64_t offset = 0;
        for (size_t i = 2; i < c.input_count(); i += 3) {
            const TensorView& src = c.input(i);
            const QScalar x = QScalar::of(c, i + 1);
            const int64_t length = src.shape.elements(axis, src.shape.rank());
            for (int64_t k = 0; k < src.elements(); ++k) {
                store_int(dst, k / length * stride + offset + k % length,
                          y.quantize(x.real(load_int(src, k)), dst.dtype));
            }
            offset += length;
        }
        return {};
    }

    static bool accepts(const PlanContext& c) {
        if (!QScalar::known(c, 0)) return false;
        for (size_t i = 2; i < c.input_count(); i += 3) {
            if (!QScalar::known(c, i + 1)) return false;
        }
        return true;
    }
    static Status plan(PlanContext& c) {
        const QScalar y = QScalar::of(c, 0);
        const Shape& out = c.output(0).shape;
        const DType type = c.output(0).dtype;
        int axis = 0;
        (void)normalize_axis(c.attr_i("axis"), out.rank(), &axis);
        size_t offset = 0;
        for (size_t i = 2; i < c.input_count(); i += 3) {
            const QScalar x = QScalar::of(c, i + 1);
            const Shape& part = c.input(i).shape;
            const auto length = static_cast<size_t>(part.elements(axis, part.rank()));
            if (part.elements() == 0) continue;
            kernels::QTableParams p{static_cast<size_t>(part.elements(0, axis)),
                                    length,
                                    static_cast<size_t>(out.elements(axis, out.rank())),
                                    offset,
                                    {}};
            for (int b = 0; b < 256; ++b) {
                const int64_t q = type == DType::kInt8 ? static_cast<int8_t>(b) : b;
                p.table[b] = static_cast<uint8_t>(y.quantize(x.real(q), type));
            }
            const Operand operands[] = {Operand::input(i), Operand::output(0)};
            c.step(c.kernel(0), c.params(p), operands,
                   (p.runs * length + kernels::kQuantizeBlock - 1) / kernels::kQuantizeBlock, 8000);
            offset += length;
        }
        return {};
    }
    static constexpr Variant variants[] = {{"qtable", &accepts, &plan}};
    template <class Arch>
    static constexpr kernels::KernelFn kernels[] = {&kernels::qtable<Arch>};
};

}  // namespace coffer::ops::ms
