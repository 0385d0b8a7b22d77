// y = saturate(round(x / scale) + zero_point). https://onnx.ai/onnx/operators/onnx__QuantizeLinear.html
#pragma once

#include "coffer/ops/family/qscale.hpp"

namespace coffer::ops {

struct QuantizeLinear {
    static constexpr AttrSpec attrs[] = {AttrSpec::i("axis", 1), AttrSpec::i("block_size", 0),
                                         AttrSpec::i("output_dtype", 0), AttrSpec::i("precision", 0),
                                         AttrSpec::i("saturate", 1)};
    static constexpr Facts facts{.domain = "",
                                 .name = "QuantizeLinear",
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
        constexpr TypeSet reals = types(DType::kFloat, DType::kFloat16, DType::kBfloat16, DType::kInt32);
        COFFER_TRY(expect_type(c, 0, reals));
        COFFER_TRY(expect_type(c, 1, reals | types(DType::kFloat8E8M0)));
        COFFER_TRY(q_dtype_attr(c, "precision", types(DType::kFloat, DType::kFloat16, DType::kBfloat16)));
        COFFER_TRY_ASSIGN(const DType wanted, q_dtype_attr(c, "output_dtype", kQSmallInts | kQSmallFloats));
        DType type = wanted == DType::kUndefined ? DType::kUint8 : wanted;
        if (c.has_input(2)) {
            COFFER_TRY(expect_type(c, 2, kQSmallInts | kQSmallFloats));
            type = c.dtype(2);
            if (wanted != DType::kUndefined && wanted != type) {
                return c.fail("output_dtype ", wanted, " and zero point ", type, " differ");
            }
        }
        COFFER_TRY(QGranularity::of(c, c.shape(0), c.shape(1)));
        COFFER_TRY(q_check_zero_shape(c));
        c.set(0, type, c.shape(0));
        return {};
    }

    static Status reference(RunContext& c) {
        const TensorView &x = c.input(0), &scale = c.input(1), &y = c.output(0);
        COFFER_TRY_ASSIGN(const QGranularity g, QGranularity::of(c, x.shape, scale.shape));
        COFFER_TRY_ASSIGN(DType precision, q_dtype_attr(c, "precision", ~TypeSet{0}));
        if (precision == DType::kUndefined) precision = scale.dtype;
        const bool saturate = c.attr_i("saturate") != 0;
        for (int64_t i = 0; i < y.elements(); ++i) {
            const int64_t at = g.at(i);
            const double q = divide(load_double(x, i), load_double(scale, at), precision);
            const double zero = c.has_input(2) ? load_double(c.input(2), at) : 0;
            if (is_integer(y.dtype)) {
                store_int(y, i, to_integer(q, static_cast<int64_t>(zero), q_range(y.dtype)));
            } else {
                store_small_float(y, i, q + zero, saturate);
            }
        }
        return {};
    }

    static bool accepts(const PlanContext& c) {
        const int64_t precision = c.attr_i("precision");
        return (precision == 0 || precision == static_cast<int64_t>(DType::kFloat)) &&
               q_scale_accepts(c, c.input(0).dtype, c.output(0).dtype);
    }
    static Status plan(PlanContext& c) { return q_scale_plan(c, c.output(0).dtype == DType::kInt8); }
    static constexpr Variant variants[] = {{"quantize_f32", &accepts, &plan}};
    template <class Arch>
    static constexpr kernels::KernelFn kernels[] = {&kernels::quantize_f32<Arch>};

 private:
    static double divide(double x, double scale, DType precision) {
        switch (precision) {
            case DType::kFloat16: return to_float(to_float16(to_float(to_float16(float(x))) / float(scale)));
            case DType::kBfloat16: return to_float(to_bfloat16(to_float(to_bfloat16(float(x))) / float(scale)));
            case DType::kInt32: return x / scale;
            default: return static_cast<float>(x) / static_cast<float>(scale);
        }
    }
    static int64_t to_integer(double q, int64_t zero, QRange range) {
        const double low = static_cast<double>(range.low - zero), high = static_cast<double>(range.high - zero);
        return static_cast<int64_t>(std::nearbyint(std::fmin(std::fmax(q, low), high))) + zero;  // NaN gives `low`
    }
    // store_double() saturates; without saturation what would round past the largest finite value is infinite
    // (float8e5m2) or NaN (the others).
    static void store_small_float(const TensorView& y, int64_t i, double v, bool saturate) {
        const double a = std::fabs(v);
        bool over = false;
        if (y.dtype == DType::kFloat8E4M3FN) over = a > 464;  // half way from 448 to 480, a tie to even
        if (y.dtype == DType::kFloat8E4M3FNUZ) over = a >= 248;
        if (y.dtype == DType::kFloat8E5M2 || y.dtype == DType::kFloat8E5M2FNUZ) over = a >= 61440;
        if (saturate || !over) return store_double(y, i, v);
        if (y.dtype != DType::kFloat8E5M2) return store_double(y, i, std::nan(""));
        y.as<uint8_t>()[i] = v < 0 ? 0xfc : 0x7c;
    }
};

}  // namespace coffer::ops
