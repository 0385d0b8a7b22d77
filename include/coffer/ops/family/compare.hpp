// Two inputs of one type, broadcast; a bool output. An op gives facts and
// `template <class T> static bool apply(T, T)`, which serves the reference and the kernels.
#pragma once

#include "coffer/ops/family/binary.hpp"

namespace coffer::ops {

constexpr Facts compare_facts(const char* name, int since) {
    Facts f = binary_facts(name, since);
    f.atol = 0;
    f.rtol = 0;
    f.inplace_input = -1;
    return f;
}

// How Op::apply() is reached for each way to read an element.
struct Relation {
    bool (*doubles)(double, double);
    bool (*integers)(int64_t, int64_t);
    bool (*unsigneds)(uint64_t, uint64_t);
};
inline void compare_elements(RunContext& c, const Relation& r) {
    const TensorView &a = c.input(0), &b = c.input(1);
    const auto dst = c.output(0).span<uint8_t>();
    const BroadcastOffset at_a(a.shape, c.output(0).shape), at_b(b.shape, c.output(0).shape);
    for (size_t k = 0; k < dst.size(); ++k) {
        const int64_t i = at_a(static_cast<int64_t>(k)), j = at_b(static_cast<int64_t>(k));
        if (is_floating(a.dtype)) {
            dst[k] = r.doubles(load_double(a, i), load_double(b, j));
        } else if (a.dtype == DType::kUint64) {
            dst[k] = r.unsigneds(a.as<uint64_t>()[i], b.as<uint64_t>()[j]);
        } else {
            dst[k] = r.integers(load_int(a, i), load_int(b, j));
        }
    }
}

// T: the types with a kernel.
template <class Op, TypeSet kTypes, class... T>
struct Compare {
    static Status infer(InferContext& c) {
        COFFER_TRY(expect_type(c, 0, kTypes));
        COFFER_TRY(expect_same_type(c, 0, 1));
        Shape shape;
        COFFER_TRY(infer_broadcast(c, 2, &shape));
        c.set(0, DType::kBool, shape);
        return {};
    }
    static Status reference(RunContext& c) {
        constexpr Relation relation{&Op::template apply<double>, &Op::template apply<int64_t>,
                                    &Op::template apply<uint64_t>};
        compare_elements(c, relation);
        return {};
    }
    static bool accepts(const PlanContext& c) { return slot_of<T...>(c.input(0).dtype) < sizeof...(T); }
    static Status plan(PlanContext& c) {
        plan_broadcast<2>(c, slot_of<T...>(c.input(0).dtype), 0.2);
        return {};
    }
    static constexpr Variant variants[] = {{"broadcast_loop", &accepts, &plan}};
    template <class Arch>
    static constexpr kernels::KernelFn kernels[] = {&kernels::binary_loop<Arch, Op, T, uint8_t>...};
};

}  // namespace coffer::ops
