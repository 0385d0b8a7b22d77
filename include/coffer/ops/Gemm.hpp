// alpha A B + beta C, A and B optionally transposed. https://onnx.ai/onnx/operators/onnx__Gemm.html
#pragma once

#include "coffer/ops/family/matmul_plan.hpp"

namespace coffer::ops {

struct Gemm {
    static constexpr AttrSpec attrs[] = {AttrSpec::f("alpha", 1), AttrSpec::f("beta", 1), AttrSpec::i("transA", 0),
                                         AttrSpec::i("transB", 0)};
    static constexpr Facts facts{.domain = "",
                                 .name = "Gemm",
                                 .since = 13,
                                 .min_inputs = 2,
                                 .max_inputs = 3,
                                 .min_outputs = 1,
                                 .max_outputs = 1,
                                 .attrs = attrs,
                                 .atol = 1e-4,
                                 .rtol = 1e-4};

    static Status infer(InferContext& c) {
        if (!is_matmul_type(c.dtype(0))) return c.fail("type ", c.dtype(0));
        for (size_t i = 1; i < c.input_count(); ++i) {
            if (c.has_input(i) && c.dtype(i) != c.dtype(0)) {
                return c.fail("types differ: ", c.dtype(0), ", ", c.dtype(i));
            }
        }
        if (c.shape(0).rank() != 2 || c.shape(1).rank() != 2) {
            return c.fail("A and B must be matrices: ", c.shape(0), ", ", c.shape(1));
        }
        COFFER_TRY_ASSIGN(const MatMulShape s, MatMulShape::of(c, c.shape(0), c.shape(1), c.attr_i("transA") != 0,
                                                               c.attr_i("transB") != 0));
        Shape joint;
        if (c.has_input(2) && (!broadcast(c.shape(2), s.output, &joint) || joint != s.output)) {
            return c.fail("C of shape ", c.shape(2), " does not broadcast to ", s.output);
        }
        c.set(0, c.dtype(0), s.output);
        return {};
    }

    static Status reference(RunContext& c) {
        const bool trans_a = c.attr_i("transA") != 0, trans_b = c.attr_i("transB") != 0;
        const double alpha = c.attr_f("alpha"), beta = c.attr_f("beta");
        const TensorView &dst = c.output(0), *bias = c.has_input(2) ? &c.input(2) : nullptr;
        const int64_t columns = dst.shape[1];
        const auto bias_at = [&](int64_t at) {
            const Shape& s = bias->shape;
            const int64_t row = s.rank() < 2 || s[0] == 1 ? 0 : at / columns;
            const int64_t column = s.rank() < 1 || s.back() == 1 ? 0 : at % columns;
            return row * (s.rank() < 1 ? 1 : s.back()) + column;
        };
        COFFER_TRY(reference_matmul(c, trans_a, trans_b, [&](int64_t at, int64_t, double sum) {
            return alpha * sum + (bias ? beta * load_double(*bias, bias_at(at)) : 0);
        }));
        if (!is_integer(dst.dtype)) return {};
        for (int64_t i = 0; i < dst.elements(); ++i) {  // factors are applied in integers when they are whole
            const auto sum = static_cast<uint64_t>(load_int(dst, i));
            const auto add = static_cast<uint64_t>(bias ? load_int(*bias, bias_at(i)) : 0);
            store_int(dst, i, static_cast<int64_t>(scaled(sum, alpha) + scaled(add, beta)));
        }
        return {};
    }

    static Status plan(PlanContext& c) {
        GemmOperands spec;
        spec.trans_a = c.attr_i("transA") != 0;
        spec.trans_b = c.attr_i("transB") != 0;
        spec.epilogue.alpha = c.attr_f("alpha");
        if (c.has_input(2)) {
            const Shape& s = c.input(2).shape;
            const int64_t rows = s.rank() < 2 ? 1 : s[0], columns = s.rank() < 1 ? 1 : s.back();
            if (rows == 1 && columns == c.output(0).shape[1]) {
                spec.bias = Operand::input(2);
                spec.epilogue.beta = c.attr_f("beta");
            } else {
                spec.residual = Operand::input(2);
                spec.epilogue.residual_scale = c.attr_f("beta");
                spec.epilogue.residual_ld = rows == 1 ? 0 : static_cast<size_t>(columns);
                spec.epilogue.residual_column = columns == 1 ? 0 : 1;
            }
        }
        return plan_matmul(c, spec);
    }
    static constexpr Variant variants[] = {{"gemm_f32", &all_float32, &plan}};
    template <class Arch>
    static constexpr kernels::KernelFn kernels[] = {&kernels::gemm_f32<Arch>, &kernels::pack_panels_f32<Arch>,
                                                    &kernels::transpose_f32<Arch>};

 private:
    static uint64_t scaled(uint64_t value, double factor) {
        if (factor == 1) return value;
        const double product = static_cast<double>(static_cast<int64_t>(value)) * factor;
        if (!(product >= -0x1p63 && product < 0x1p63)) return uint64_t{1} << 63;  // as x86 converts what does not fit
        return static_cast<uint64_t>(static_cast<int64_t>(product));
    }
};

}  // namespace coffer::ops
