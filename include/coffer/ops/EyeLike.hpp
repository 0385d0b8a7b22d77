// Ones on the k-th diagonal of a matrix shaped like the input. https://onnx.ai/onnx/operators/onnx__EyeLike.html
#pragma once

#include "coffer/ops/family/move.hpp"

namespace coffer::ops {

struct EyeLike {
    static constexpr AttrSpec attrs[] = {AttrSpec::optional("dtype", AttrSpec::kInt), AttrSpec::i("k", 0)};
    static constexpr Facts facts{.domain = "",
                                 .name = "EyeLike",
                                 .since = 22,
                                 .min_inputs = 1,
                                 .max_inputs = 1,
                                 .min_outputs = 1,
                                 .max_outputs = 1,
                                 .attrs = attrs,
                                 .atol = 0,
                                 .rtol = 0};

    static Status infer(InferContext& c) {
        if (c.shape(0).rank() != 2) return c.fail("input has shape ", c.shape(0), ", not rank 2");
        COFFER_TRY_ASSIGN(const DType dtype, dtype_attr(c, "dtype", c.dtype(0)));
        if (!is_integer(dtype) && !is_floating(dtype) && dtype != DType::kBool) return c.fail("type ", dtype);
        COFFER_TRY(check_size(c, dtype, c.shape(0)));
        c.set(0, dtype, c.shape(0));
        return {};
    }
    static Status reference(RunContext& c) {
        const TensorView& dst = c.output(0);
        const int64_t h = dst.shape[0], w = dst.shape[1];
        fill_elements(dst, 0, h * w, zero_element(dst.dtype));
        const int64_t k = std::clamp(c.attr_i("k"), -h, w);
        for (int64_t row = std::max<int64_t>(0, -k); row < h && row + k < w; ++row)
            store_double(dst, row * w + row + k, 1);
        return {};
    }
};

}  // namespace coffer::ops
