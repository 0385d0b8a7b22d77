// One input, one output of the same shape and type, the same formula on every element.
// An op gives facts, `static double scalar(double)` for the reference, and, to be fast, a template
// `simd(V)` on a batch. Float types only; see the op's own infer() for others.
#pragma once

#include "coffer/ops/op.hpp"

#ifdef COFFER_ARCH
#include "coffer/kernels/elementwise.hpp"
#else
namespace coffer::kernels {
template <class Arch, class Op>
bool map_f32(const void*, void* const*, size_t, size_t);
inline constexpr size_t kMapBlock = 4096;
struct MapParams {
    size_t count;
};
}  // namespace coffer::kernels
#endif

namespace coffer::ops {

template <class Op>
struct UnaryFloat {
    static Status infer(InferContext& c) {
        if (!is_floating(c.dtype(0))) return c.fail("input must be floating point, not ", c.dtype(0));
        c.set(0, c.dtype(0), c.shape(0));
        return {};
    }
    static Status reference(RunContext& c) {
        const TensorView& dst = c.output(0);
        for (int64_t i = 0; i < dst.elements(); ++i) store_double(dst, i, Op::scalar(load_double(c.input(0), i)));
        return {};
    }
};

// UnaryFloat with a float32 kernel: the op also has `template <class V> static V simd(V)`.
template <class Op>
struct UnaryFloatFast : UnaryFloat<Op> {
    static bool accepts(const PlanContext& c) { return c.input(0).dtype == DType::kFloat; }
    static Status plan(PlanContext& c) {
        const auto count = static_cast<size_t>(c.output(0).shape.elements());
        const Operand operands[] = {Operand::input(0), Operand::output(0)};
        c.step(c.kernel(0), c.params(kernels::MapParams{count}), operands,
               (count + kernels::kMapBlock - 1) / kernels::kMapBlock, 1000);
        return {};
    }
    static constexpr Variant variants[] = {{"map_f32", &accepts, &plan}};
    template <class Arch>
    static constexpr kernels::KernelFn kernels[] = {&kernels::map_f32<Arch, Op>};
};

}  // namespace coffer::ops
