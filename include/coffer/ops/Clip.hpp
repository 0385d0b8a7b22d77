// min(max, max(min, x)); so max wins when min > max. https://onnx.ai/onnx/operators/onnx__Clip.html
#pragma once

#include "coffer/ops/family/unary.hpp"

namespace coffer::ops {

struct Clip {
    static constexpr Facts facts{.domain = "",
                                 .name = "Clip",
                                 .since = 13,
                                 .min_inputs = 1,
                                 .max_inputs = 3,
                                 .min_outputs = 1,
                                 .max_outputs = 1,
                                 .layout = LayoutRule::kElementwise,
                                 .atol = 0,
                                 .rtol = 0,
                                 .inplace_input = 0};

    static Status infer(InferContext& c) {
        COFFER_TRY(expect_type(c, 0, kNumbers));
        for (size_t i = 1; i <= 2; ++i) {
            if (!c.has_input(i)) continue;
            COFFER_TRY(expect_same_type(c, 0, i));
            // A list of one is what some exporters write for a scalar.
            if (c.shape(i).elements() != 1) return c.fail("bound ", i, " has shape ", c.shape(i), ", not a scalar");
        }
        c.set(0, c.dtype(0), c.shape(0));
        return {};
    }
    static Status reference(RunContext& c) {
        const TensorView &src = c.input(0), &dst = c.output(0);
        const bool integer = is_integer(src.dtype);
        for (int64_t i = 0; i < dst.elements(); ++i) {
            const TensorView* from = &src;
            int64_t at = i;
            if (c.has_input(1) && less(*from, at, c.input(1), 0)) from = &c.input(1), at = 0;
            if (c.has_input(2) && less(c.input(2), 0, *from, at)) from = &c.input(2), at = 0;
            if (integer) {
                store_int(dst, i, load_int(*from, at));
            } else {
                store_double(dst, i, load_double(*from, at));
            }
        }
        return {};
    }

    static bool accepts(const PlanContext& c) { return c.input(0).dtype == DType::kFloat; }
    static Status plan(PlanContext& c) {
        const auto count = static_cast<size_t>(c.output(0).shape.elements());
        if (count == 0) return {};
        const auto bound = [&](size_t i) { return c.has_input(i) ? Operand::input(i) : Operand::at(nullptr); };
        const Operand operands[] = {Operand::input(0), Operand::output(0), bound(1), bound(2)};
        c.step(c.kernel(0), c.params(kernels::MapParams<kernels::NoParams>{count, {}}), operands,
               kernels::map_units(count), 500);
        return {};
    }
    static constexpr Variant variants[] = {{"clip_f32", &accepts, &plan}};
    template <class Arch>
    static constexpr kernels::KernelFn kernels[] = {&kernels::clip_f32<Arch>};

 private:
    static bool less(const TensorView& a, int64_t i, const TensorView& b, int64_t j) {
        if (!is_integer(a.dtype)) return load_double(a, i) < load_double(b, j);
        const int64_t x = load_int(a, i), y = load_int(b, j);
        return a.dtype == DType::kUint64 ? static_cast<uint64_t>(x) < static_cast<uint64_t>(y) : x < y;
    }
};

}  // namespace coffer::ops
