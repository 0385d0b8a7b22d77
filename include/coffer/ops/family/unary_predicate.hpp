// One input, a bool output of the same shape: `static bool test(double x, const NodeContext&)`.
#pragma once

#include "coffer/ops/family/unary.hpp"

namespace coffer::ops {

constexpr Facts predicate_facts(const char* name, int since, std::span<const AttrSpec> attrs = {}) {
    Facts f = exact(unary_facts(name, since, attrs));
    f.inplace_input = -1;
    return f;
}

template <class Op, TypeSet kTypes>
struct UnaryPredicate {
    static Status infer(InferContext& c) {
        COFFER_TRY(expect_type(c, 0, kTypes));
        c.set(0, DType::kBool, c.shape(0));
        return {};
    }
    static Status reference(RunContext& c) {
        const auto dst = c.output(0).span<uint8_t>();
        for (size_t i = 0; i < dst.size(); ++i) {
            dst[i] = Op::test(load_double(c.input(0), static_cast<int64_t>(i)), c);
        }
        return {};
    }
};

// With a kernel for elements of type T: `template <class U> static bool logic(U)`.
template <class Op, TypeSet kTypes, class T>
struct UnaryPredicateFast : UnaryPredicate<Op, kTypes> {
    static bool accepts(const PlanContext& c) { return c.input(0).dtype == dtype_of<T>; }
    static Status plan(PlanContext& c) {
        const auto count = static_cast<size_t>(c.output(0).shape.elements());
        if (count == 0) return {};
        const Operand operands[] = {Operand::input(0), Operand::output(0)};
        c.step(c.kernel(0), c.params(kernels::MapParams<kernels::NoParams>{count, {}}), operands,
               kernels::map_units(count), 500);
        return {};
    }
    static constexpr Variant variants[] = {{"map_to_bool", &accepts, &plan}};
    template <class Arch>
    static constexpr kernels::KernelFn kernels[] = {&kernels::map_to_bool<Arch, Op, T>};
};

}  // namespace coffer::ops
