// x to the power y, in the type of x. https://onnx.ai/onnx/operators/onnx__Pow.html
#pragma once

#include <cmath>

#include "coffer/ops/family/binary.hpp"

namespace coffer::ops {

struct Pow {
    static constexpr Facts facts = binary_facts("Pow", 15);

    static Status infer(InferContext& c) {
        COFFER_TRY(expect_type(c, 0, kFloats | types(DType::kInt32, DType::kInt64)));
        COFFER_TRY(expect_type(c, 1, kNumbers));
        Shape shape;
        COFFER_TRY(infer_broadcast(c, 2, &shape));
        c.set(0, c.dtype(0), shape);
        return {};
    }
    static Status reference(RunContext& c) {
        const bool exact = is_integer(c.input(0).dtype) && is_integer(c.input(1).dtype);
        if (exact) return binary_integers(c, &integer, nullptr);
        binary_doubles(
            c, [](double x, double y, const void*) { return std::pow(x, y); }, nullptr);
        return {};
    }

    static bool accepts(const PlanContext& c) {
        return c.input(0).dtype == DType::kFloat && c.input(1).dtype == DType::kFloat;
    }
    static Status plan(PlanContext& c) {
        plan_broadcast<2>(c, 0, 2);
        return {};
    }
    static constexpr Variant variants[] = {{"pow_f32", &accepts, &plan}};
    template <class Arch>
    static constexpr kernels::KernelFn kernels[] = {&kernels::pow_f32<Arch>};

 private:
    // Wraps; 1 / x rounds to zero but for x = 1 and -1, and 1 / 0 is refused.
    static bool integer(int64_t x, int64_t y, DType, int64_t* out, const void*) {
        if (y < 0) {
            if (x == 0) return false;
            *out = x == 1 ? 1 : x == -1 ? (y % 2 == 0 ? 1 : -1) : 0;
            return true;
        }
        uint64_t result = 1, power = static_cast<uint64_t>(x);
        for (auto rest = static_cast<uint64_t>(y); rest > 0; rest >>= 1) {
            if (rest & 1) result *= power;
            power *= power;
        }
        *out = static_cast<int64_t>(result);
        return true;
    }
};

}  // namespace coffer::ops
