// Matrix product with NumPy batching. https://onnx.ai/onnx/operators/onnx__MatMul.html
#pragma once

#include "coffer/ops/family/matmul_plan.hpp"

namespace coffer::ops {

struct MatMul {
    // A float32 sum of k products is off by about sqrt(k) ulp of its largest partial sum.
    static constexpr Facts facts{.domain = "",
                                 .name = "MatMul",
                                 .since = 13,
                                 .min_inputs = 2,
                                 .max_inputs = 2,
                                 .min_outputs = 1,
                                 .max_outputs = 1,
                                 .atol = 1e-4,
                                 .rtol = 1e-4};

    static Status infer(InferContext& c) {
        if (!is_matmul_type(c.dtype(0))) return c.fail("type ", c.dtype(0));
        if (c.dtype(1) != c.dtype(0)) return c.fail("types differ: ", c.dtype(0), ", ", c.dtype(1));
        COFFER_TRY_ASSIGN(const MatMulShape s, MatMulShape::of(c, c.shape(0), c.shape(1), false, false));
        c.set(0, c.dtype(0), s.output);
        return {};
    }
    static Status reference(RunContext& c) {
        return reference_matmul(c, false, false, [](int64_t, int64_t, double sum) { return sum; });
    }

    static Status plan(PlanContext& c) { return plan_matmul(c, {}); }
    static constexpr Variant variants[] = {{"gemm_f32", &all_float32, &plan}};
    template <class Arch>
    static constexpr kernels::KernelFn kernels[] = {&kernels::gemm_f32<Arch>, &kernels::pack_panels_f32<Arch>,
                                                    &kernels::transpose_f32<Arch>};
};

}  // namespace coffer::ops
