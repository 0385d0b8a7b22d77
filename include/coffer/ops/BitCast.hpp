// The same bits seen as another type of the same width. https://onnx.ai/onnx/operators/onnx__BitCast.html
#pragma once

#include "coffer/ops/Identity.hpp"
#include "coffer/ops/family/move.hpp"

namespace coffer::ops {

struct BitCast {
    static constexpr AttrSpec attrs[] = {AttrSpec::must("to", AttrSpec::kInt)};
    static constexpr Facts facts{.domain = "",
                                 .name = "BitCast",
                                 .since = 26,
                                 .min_inputs = 1,
                                 .max_inputs = 1,
                                 .min_outputs = 1,
                                 .max_outputs = 1,
                                 .attrs = attrs,
                                 .layout = LayoutRule::kElementwise,
                                 .atol = 0,
                                 .rtol = 0,
                                 .inplace_input = 0};

    static Status infer(InferContext& c) {
        const int64_t to = c.attr_i("to");
        if (to < 0 || to >= kDTypeCount) return c.unsupported("unknown element type number ", to);
        const auto type = static_cast<DType>(to);
        const int bits = dtype_bits(c.dtype(0));
        if (bits == 0 || bits != dtype_bits(type)) return c.fail("cannot see ", c.dtype(0), " as ", type);
        c.set(0, type, c.shape(0));
        return {};
    }
    static Status reference(RunContext& c) {
        Identity::copy(c.input(0), c.output(0));
        return {};
    }
};

}  // namespace coffer::ops
