// MatMul, optionally transposed and scaled, then bias, residual and activation:
// act(alpha A B + bias + residual). Made by fusion passes only.
#pragma once

#include "coffer/ops/family/matmul_activation.hpp"
#include "coffer/ops/family/matmul_plan.hpp"

namespace coffer::ops::own {

// Inputs: A, B, bias (N), residual (shape of the output).
struct FusedMatMul {
    static constexpr AttrSpec attrs[] = {AttrSpec::i("transA", 0), AttrSpec::i("transB", 0), AttrSpec::f("alpha", 1),
                                         AttrSpec::s("activation", ""),
                                         AttrSpec::optional("activation_params", AttrSpec::kFloats)};
    static constexpr Facts facts{.domain = "ai.coffer",
                                 .name = "FusedMatMul",
                                 .since = 1,
                                 .min_inputs = 2,
                                 .max_inputs = 4,
                                 .min_outputs = 1,
                                 .max_outputs = 1,
                                 .attrs = attrs,
                                 .atol = 1e-4,
                                 .rtol = 1e-4};

    static Status infer(InferContext& c) {
        if (!is_floating(c.dtype(0)) || !is_matmul_type(c.dtype(0))) return c.fail("type ", c.dtype(0));
        for (size_t i = 1; i < c.input_count(); ++i) {
            if (c.has_input(i) && c.dtype(i) != c.dtype(0)) {
                return c.fail("types differ: ", c.dtype(0), ", ", c.dtype(i));
            }
        }
        COFFER_TRY(activation_of(c));
        COFFER_TRY_ASSIGN(const MatMulShape s, shapes(c, c.shape(0), c.shape(1)));
        if (c.has_input(2) && c.shape(2) != Shape{s.n}) return c.fail("bias must be (", s.n, "), not ", c.shape(2));
        if (c.has_input(3) && c.shape(3) != s.output) {
            return c.fail("residual must be ", s.output, ", not ", c.shape(3));
        }
        c.set(0, c.dtype(0), s.output);
        return {};
    }

    static Status reference(RunContext& c) {
        COFFER_TRY_ASSIGN(const kernels::Activation act, activation_of(c));
        const double alpha = c.attr_f("alpha");
        return reference_matmul(c, c.attr_i("transA") != 0, c.attr_i("transB") != 0,
                                [&](int64_t at, int64_t n, double sum) {
                                    sum *= alpha;
                                    if (c.has_input(2)) sum += load_double(c.input(2), n);
                                    if (c.has_input(3)) sum += load_double(c.input(3), at);
                                    return activation_scalar(act, sum);
                                });
    }

    static Status plan(PlanContext& c) {
        COFFER_TRY_ASSIGN(const MatMulShape s, shapes(c, c.input(0).shape, c.input(1).shape));
        GemmOperands spec;
        spec.trans_a = c.attr_i("transA") != 0;
        spec.trans_b = c.attr_i("transB") != 0;
        spec.epilogue.alpha = c.attr_f("alpha");
        COFFER_TRY_ASSIGN(spec.epilogue.act, activation_of(c));
        if (c.has_input(2)) spec.bias = Operand::input(2);
        if (c.has_input(3)) spec.residual = Operand::input(3);
        spec.epilogue.residual_ld = static_cast<size_t>(s.n);
        return plan_matmul(c, spec);
    }
    static constexpr Variant variants[] = {{"gemm_f32", &all_float32, &plan}};
    template <class Arch>
    static constexpr kernels::KernelFn kernels[] = {&kernels::gemm_f32<Arch>, &kernels::pack_panels_f32<Arch>,
                                                    &kernels::transpose_f32<Arch>};

 private:
    static Result<MatMulShape> shapes(const NodeContext& c, const Shape& a, const Shape& b) {
        return MatMulShape::of(c, a, b, c.attr_i("transA") != 0, c.attr_i("transB") != 0);
    }
};

}  // namespace coffer::ops::own
