// GELU after an optional bias on the last axis: `static double scalar(double)` of the sum, and `simd(V, V)` of
// both.
#pragma once

#include "coffer/ops/family/binary.hpp"
#include "coffer/ops/family/unary_gelu.hpp"

namespace coffer::ops {

template <class Op>
struct BiasedGelu {
    static Status infer(InferContext& c) {
        COFFER_TRY(expect_type(c, 0, kFloats));
        const Shape& shape = c.shape(0);
        if (c.has_input(1)) {
            COFFER_TRY(expect_same_type(c, 0, 1));
            if (shape.rank() == 0 || !(c.shape(1) == Shape{shape.back()})) {
                return c.fail("bias of shape ", c.shape(1), " does not fit ", shape);
            }
        }
        c.set(0, c.dtype(0), shape);
        return {};
    }
    static Status reference(RunContext& c) {
        const TensorView &src = c.input(0), &dst = c.output(0);
        for (int64_t i = 0; i < dst.elements(); ++i) {
            const double bias = c.has_input(1) ? load_double(c.input(1), i % src.shape.back()) : 0;
            store_double(dst, i, Op::scalar(load_double(src, i) + bias));
        }
        return {};
    }

    // Without a bias a constant zero takes its place.
    static bool accepts(const PlanContext& c) { return c.input(0).dtype == DType::kFloat; }
    static Status plan(PlanContext& c) {
        const Shape dims[] = {c.input_dims(0), c.has_input(1) ? c.input_dims(1) : Shape{}};
        const Operand bias = c.has_input(1) ? Operand::input(1) : Operand::at(c.params(0.0f));
        const Operand operands[] = {Operand::input(0), bias, Operand::output(0)};
        constexpr DType types[] = {DType::kFloat, DType::kFloat, DType::kFloat};
        plan_broadcast(c, 0, operands, c.output_dims(0), dims, types, 1.0);
        return {};
    }
    static constexpr Variant variants[] = {{"biased_gelu_f32", &accepts, &plan}};
    template <class Arch>
    static constexpr kernels::KernelFn kernels[] = {&kernels::binary_simd<Arch, Op, float>};
};

}  // namespace coffer::ops
