// max(x, 0). https://onnx.ai/onnx/operators/onnx__Relu.html
#pragma once

#include "coffer/ops/family/unary.hpp"

namespace coffer::ops {

struct Relu : UnaryFloatFast<Relu> {
    static constexpr Facts facts{.domain = "", .name = "Relu", .since = 14, .min_inputs = 1, .max_inputs = 1,
                                 .min_outputs = 1, .max_outputs = 1, .layout = LayoutRule::kElementwise,
                                 .atol = 0, .rtol = 0, .inplace_input = 0};

    static Status infer(InferContext& c) {  // signed integers too, since opset 14
        if (!is_floating(c.dtype(0)) && !is_signed_integer(c.dtype(0))) return c.fail("type ", c.dtype(0));
        c.set(0, c.dtype(0), c.shape(0));
        return {};
    }
    static double scalar(double x) { return x < 0 ? 0 : x; }  // NaN stays NaN
    template <class V>
    static V simd(V x) {
        return max(V(0.0f), x);
    }
};

}  // namespace coffer::ops
