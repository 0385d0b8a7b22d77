// One input, one output of the same shape and type, the same formula on every element.
//
// An op gives facts and `static double scalar(double x)`; for integer types also
// `static int64_t integer(int64_t x, DType)`, and to be fast on float32 `template <class V> static V simd(V)` on
// a batch. With attributes it has `struct Params` and `static Params params(const NodeContext&)`, and each
// formula takes `const Params&` last. `static Status check(const InferContext&)` refuses attribute values.
#pragma once

#include "coffer/kernels/elementwise_params.hpp"
#include "coffer/kernels/vecmath.hpp"
#include "coffer/ops/family/types.hpp"
#ifdef COFFER_ARCH
#include "coffer/kernels/elementwise.hpp"
#endif

namespace coffer::ops {

constexpr Facts unary_facts(const char* name, int since, std::span<const AttrSpec> attrs = {},
                            const char* domain = "") {
    return {.domain = domain,
            .name = name,
            .since = since,
            .min_inputs = 1,
            .max_inputs = 1,
            .min_outputs = 1,
            .max_outputs = 1,
            .attrs = attrs,
            .layout = LayoutRule::kElementwise,
            .inplace_input = 0};
}

// For formulas without rounding.
constexpr Facts exact(Facts f) {
    f.atol = 0;
    f.rtol = 0;
    return f;
}

// One loop for all ops; `f` gets the op's Params.
inline void map_doubles(const TensorView& src, const TensorView& dst, double (*f)(double, const void*),
                        const void* params) {
    const int64_t n = dst.elements();
    for (int64_t i = 0; i < n; ++i) store_double(dst, i, f(load_double(src, i), params));
}
inline void map_integers(const TensorView& src, const TensorView& dst, int64_t (*f)(int64_t, DType, const void*),
                         const void* params) {
    const int64_t n = dst.elements();
    for (int64_t i = 0; i < n; ++i) store_int(dst, i, f(load_int(src, i), src.dtype, params));
}

template <class Op, TypeSet kTypes = kFloats>
struct Unary {
    using Params = kernels::NoParams;
    static Params params(const NodeContext&) { return {}; }
    static Status check(const InferContext&) { return {}; }

    static Status infer(InferContext& c) {
        COFFER_TRY(expect_type(c, 0, kTypes));
        COFFER_TRY(Op::check(c));
        c.set(0, c.dtype(0), c.shape(0));
        return {};
    }
    static Status reference(RunContext& c) {
        const auto p = Op::params(c);
        if constexpr ((kTypes & kIntegers) != 0) {
            if (is_integer(c.input(0).dtype)) {
                map_integers(c.input(0), c.output(0), &integer_of, &p);
                return {};
            }
        }
        if constexpr ((kTypes & kFloats) != 0) map_doubles(c.input(0), c.output(0), &scalar_of, &p);
        return {};
    }

 private:
    static double scalar_of(double x, const void* p) {
        if constexpr (requires { Op::scalar(x); }) {
            return Op::scalar(x);
        } else {
            return Op::scalar(x, *static_cast<const typename Op::Params*>(p));
        }
    }
    static int64_t integer_of(int64_t x, DType t, const void* p) {
        if constexpr (requires { Op::integer(x, t); }) {
            return Op::integer(x, t);
        } else {
            return Op::integer(x, t, *static_cast<const typename Op::Params*>(p));
        }
    }
};

// Unary with a float32 kernel.
template <class Op, TypeSet kTypes = kFloats>
struct UnaryFast : Unary<Op, kTypes> {
    static bool accepts(const PlanContext& c) { return c.input(0).dtype == DType::kFloat; }
    static Status plan(PlanContext& c) {
        const auto count = static_cast<size_t>(c.output(0).shape.elements());
        if (count == 0) return {};
        const Operand operands[] = {Operand::input(0), Operand::output(0)};
        c.step(c.kernel(0), c.params(kernels::MapParams<typename Op::Params>{count, Op::params(c)}), operands,
               kernels::map_units(count), 1000);
        return {};
    }
    static constexpr Variant variants[] = {{"map_f32", &accepts, &plan}};
    template <class Arch>
    static constexpr kernels::KernelFn kernels[] = {&kernels::map_f32<Arch, Op>};
};

}  // namespace coffer::ops
