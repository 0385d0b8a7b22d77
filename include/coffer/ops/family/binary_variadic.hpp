// One or more inputs of one type, all broadcast together: Max, Min, Sum, Mean. An op gives facts,
// `static double combine(double, double)` and, where integers are allowed, `static int64_t combine(int64_t,
// int64_t, DType)`; `simd(V, V)` makes it fast on float32.
#pragma once

#include "coffer/ops/family/binary.hpp"

namespace coffer::ops {

constexpr Facts variadic_facts(const char* name, int since) {
    Facts f = binary_facts(name, since);
    f.min_inputs = 1;
    f.max_inputs = kVariadic;
    f.inplace_input = -1;  // an input may be listed twice and be read after the output is written
    return f;
}

// `divisor` is what Mean divides by.
inline void variadic_doubles(RunContext& c, double (*f)(double, double), double divisor) {
    const TensorView& dst = c.output(0);
    for (int64_t i = 0, n = dst.elements(); i < n; ++i) {
        double sum = 0;
        for (size_t k = 0; k < c.input_count(); ++k) {
            const double x = load_double(c.input(k), BroadcastOffset(c.input(k).shape, dst.shape)(i));
            sum = k == 0 ? x : f(sum, x);
        }
        store_double(dst, i, sum / divisor);
    }
}
inline void variadic_integers(RunContext& c, int64_t (*f)(int64_t, int64_t, DType)) {
    const TensorView& dst = c.output(0);
    for (int64_t i = 0, n = dst.elements(); i < n; ++i) {
        int64_t sum = 0;
        for (size_t k = 0; k < c.input_count(); ++k) {
            const int64_t x = load_int(c.input(k), BroadcastOffset(c.input(k).shape, dst.shape)(i));
            sum = k == 0 ? x : f(sum, x, dst.dtype);
        }
        store_int(dst, i, sum);
    }
}

template <class Op, TypeSet kTypes>
struct Variadic {
    static Status infer(InferContext& c) {
        COFFER_TRY(expect_type(c, 0, kTypes));
        for (size_t i = 1; i < c.input_count(); ++i) {
            if (!c.has_input(i)) return c.fail("input ", i, " is missing");
            COFFER_TRY(expect_same_type(c, 0, i));
        }
        Shape shape;
        COFFER_TRY(infer_broadcast(c, c.input_count(), &shape));
        c.set(0, c.dtype(0), shape);
        return {};
    }
    static Status reference(RunContext& c) {
        if constexpr ((kTypes & kIntegers) != 0) {
            if (is_integer(c.input(0).dtype)) {
                variadic_integers(c, &Op::combine);
                return {};
            }
        }
        variadic_doubles(c, &Op::combine, 1);
        return {};
    }
};

// Kernels go two by two through the output, so the first two inputs must have its shape together.
template <class Op, TypeSet kTypes, class... T>
struct VariadicFast : Variadic<Op, kTypes> {
    static bool accepts(const PlanContext& c) {
        Shape first;
        return c.input_count() >= 2 && slot_of<T...>(c.input(0).dtype) < sizeof...(T) &&
               broadcast(c.input(0).shape, c.input(1).shape, &first) && first == c.output(0).shape;
    }
    static Status plan(PlanContext& c) {
        const size_t slot = slot_of<T...>(c.input(0).dtype);
        const DType t = c.input(0).dtype;
        const DType dtypes[] = {t, t, t};
        for (size_t i = 1; i < c.input_count(); ++i) {
            const Operand operands[] = {i == 1 ? Operand::input(0) : Operand::output(0), Operand::input(i),
                                        Operand::output(0)};
            const Shape dims[] = {i == 1 ? c.input_dims(0) : c.output_dims(0), c.input_dims(i)};
            plan_broadcast(c, slot, operands, c.output_dims(0), dims, dtypes, 0.2);
        }
        return {};
    }
    static constexpr Variant variants[] = {{"broadcast_simd", &accepts, &plan}};
    template <class Arch>
    static constexpr kernels::KernelFn kernels[] = {&kernels::binary_simd<Arch, Op, T>...};
};

}  // namespace coffer::ops
