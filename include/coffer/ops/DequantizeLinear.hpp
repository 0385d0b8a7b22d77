// y = (x - zero_point) * scale. https://onnx.ai/onnx/operators/onnx__DequantizeLinear.html
#pragma once

#include "coffer/ops/family/qscale.hpp"

namespace coffer::ops {

struct DequantizeLinear {
    static constexpr AttrSpec attrs[] = {AttrSpec::i("axis", 1), AttrSpec::i("block_size", 0),
                                         AttrSpec::i("output_dtype", 0)};
    static constexpr Facts facts{.domain = "",
                                 .name = "DequantizeLinear",
                                 .since = 25,
                                 .min_inputs = 2,
                                 .max_inputs = 3,
                                 .min_outputs = 1,
                                 .max_outputs = 1,
                                 .attrs = attrs,
                                 .layout = LayoutRule::kElementwise,
                                 .atol = 0,
                                 .rtol = 0};

    static Status infer(InferContext& c) {
        constexpr TypeSet reals = types(DType::kFloat, DType::kFloat16, DType::kBfloat16);
        COFFER_TRY(expect_type(c, 0, kQSmallInts | kQSmallFloats | types(DType::kInt32)));
        COFFER_TRY(expect_type(c, 1, reals | types(DType::kFloat8E8M0)));
        if (c.has_input(2)) COFFER_TRY(expect_same_type(c, 2, 0));
        COFFER_TRY_ASSIGN(DType type, q_dtype_attr(c, "output_dtype", reals));
        if (type == DType::kUndefined) type = c.dtype(1);
        if (!contains(reals, type)) return c.fail("a scale of type ", type, " needs output_dtype");
        COFFER_TRY(QGranularity::of(c, c.shape(0), c.shape(1)));
        COFFER_TRY(q_check_zero_shape(c));
        c.set(0, type, c.shape(0));
        return {};
    }
    static Status reference(RunContext& c) {
        const TensorView &x = c.input(0), &scale = c.input(1), &y = c.output(0);
        COFFER_TRY_ASSIGN(const QGranularity g, QGranularity::of(c, x.shape, scale.shape));
        for (int64_t i = 0; i < y.elements(); ++i) {
            const int64_t at = g.at(i);
            const double zero = c.has_input(2) ? load_double(c.input(2), at) : 0;
            const auto difference = static_cast<float>(load_double(x, i) - zero);
            store_double(y, i, difference * static_cast<float>(load_double(scale, at)));
        }
        return {};
    }

    static bool accepts(const PlanContext& c) { return q_scale_accepts(c, c.output(0).dtype, c.input(0).dtype); }
    static Status plan(PlanContext& c) { return q_scale_plan(c, c.input(0).dtype == DType::kInt8); }
    static constexpr Variant variants[] = {{"dequantize_f32", &accepts, &plan}};
    template <class Arch>
    static constexpr kernels::KernelFn kernels[] = {&kernels::dequantize_f32<Arch>};
};

}  // namespace coffer::ops
