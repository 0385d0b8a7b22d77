// Two inputs of one type, broadcast; the output has that type.
//
// An op gives facts, `static double scalar(double, double)` for floats, and for integers
// `static bool integer(int64_t a, int64_t b, DType, int64_t* out)`, false where the value is not defined (a zero
// divisor). With attributes it has Params as in family/unary.hpp. To be fast it gives
// `template <class V> static V simd(V, V)` and names the C++ types it is for.
#pragma once

#include "coffer/kernels/vecmath.hpp"
#include "coffer/ops/family/broadcast.hpp"

namespace coffer::ops {

constexpr Facts binary_facts(const char* name, int since, std::span<const AttrSpec> attrs = {}) {
    return {.domain = "",
            .name = name,
            .since = since,
            .min_inputs = 2,
            .max_inputs = 2,
            .min_outputs = 1,
            .max_outputs = 1,
            .attrs = attrs,
            .layout = LayoutRule::kElementwise,
            .inplace_input = 0};
}

using ScalarPair = double (*)(double, double, const void* params);
using IntegerPair = bool (*)(int64_t, int64_t, DType, int64_t*, const void* params);

inline void binary_doubles(RunContext& c, ScalarPair f, const void* params) {
    const TensorView &a = c.input(0), &b = c.input(1), &dst = c.output(0);
    const BroadcastOffset at_a(a.shape, dst.shape), at_b(b.shape, dst.shape);
    for (int64_t i = 0, n = dst.elements(); i < n; ++i) {
        store_double(dst, i, f(load_double(a, at_a(i)), load_double(b, at_b(i)), params));
    }
}
inline Status binary_integers(RunContext& c, IntegerPair f, const void* params) {
    const TensorView &a = c.input(0), &b = c.input(1), &dst = c.output(0);
    const BroadcastOffset at_a(a.shape, dst.shape), at_b(b.shape, dst.shape);
    for (int64_t i = 0, n = dst.elements(); i < n; ++i) {
        int64_t result = 0;
        const int64_t x = load_int(a, at_a(i)), y = load_int(b, at_b(i));
        if (!f(x, y, a.dtype, &result, params)) return c.fail("division of ", x, " by zero at element ", i);
        store_int(dst, i, result);
    }
    return {};
}

// Integers arrive as int64; the ones of uint64 above 2^63 as negative numbers.
inline bool less_integer(int64_t a, int64_t b, DType t) {
    return t == DType::kUint64 ? static_cast<uint64_t>(a) < static_cast<uint64_t>(b) : a < b;
}

template <class Op, TypeSet kTypes = kNumbers>
struct Binary {
    struct Params {};
    static Params params(const NodeContext&) { return {}; }
    static Status check(const InferContext&) { return {}; }

    static Status infer(InferContext& c) {
        COFFER_TRY(expect_type(c, 0, kTypes));
        COFFER_TRY(expect_same_type(c, 0, 1));
        COFFER_TRY(Op::check(c));
        Shape shape;
        COFFER_TRY(infer_broadcast(c, 2, &shape));
        c.set(0, c.dtype(0), shape);
        return {};
    }
    static Status reference(RunContext& c) {
        const auto p = Op::params(c);
        if constexpr ((kTypes & kIntegers) != 0) {
            if (is_integer(c.input(0).dtype)) return binary_integers(c, &integer_of, &p);
        }
        if constexpr ((kTypes & ~kIntegers) != 0) binary_doubles(c, &scalar_of, &p);
        return {};
    }

 private:
    static double scalar_of(double a, double b, const void* p) {
        if constexpr (requires { Op::scalar(a, b); }) {
            return Op::scalar(a, b);
        } else {
            return Op::scalar(a, b, *static_cast<const typename Op::Params*>(p));
        }
    }
    static bool integer_of(int64_t a, int64_t b, DType t, int64_t* out, const void* p) {
        if constexpr (requires { Op::integer(a, b, t, out); }) {
            return Op::integer(a, b, t, out);
        } else {
            return Op::integer(a, b, t, out, *static_cast<const typename Op::Params*>(p));
        }
    }
};

// The slot of dtype `d` in a list of C++ types; their number when it is not there.
template <class... T>
constexpr size_t slot_of(DType d) {
    size_t slot = 0;
    (void)((dtype_of<T> == d || (++slot, false)) || ...);
    return slot;
}

// Binary with SIMD kernels for the types T.
template <class Op, TypeSet kTypes, class... T>
struct BinaryFast : Binary<Op, kTypes> {
    static bool accepts(const PlanContext& c) { return slot_of<T...>(c.input(0).dtype) < sizeof...(T); }
    static Status plan(PlanContext& c) {
        plan_broadcast<2>(c, slot_of<T...>(c.input(0).dtype), 0.2);
        return {};
    }
    static constexpr Variant variants[] = {{"broadcast_simd", &accepts, &plan}};
    template <class Arch>
    static constexpr kernels::KernelFn kernels[] = {&kernels::binary_simd<Arch, Op, T>...};
};

}  // namespace coffer::ops
