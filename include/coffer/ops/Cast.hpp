// Conversion to the element type `to`. https://onnx.ai/onnx/operators/onnx__Cast.html
#pragma once

#include "coffer/ops/family/unary_cast.hpp"

namespace coffer::ops {

struct Cast : cast::Fast {
    static constexpr AttrSpec attrs[] = {AttrSpec::must("to", AttrSpec::kInt), AttrSpec::i("saturate", 1),
                                         AttrSpec::s("round_mode", "up")};
    static constexpr Facts facts{.domain = "",
                                 .name = "Cast",
                                 .since = 28,
                                 .min_inputs = 1,
                                 .max_inputs = 1,
                                 .min_outputs = 1,
                                 .max_outputs = 1,
                                 .attrs = attrs,
                                 .layout = LayoutRule::kElementwise};

    static Status infer(InferContext& c) {
        COFFER_TRY(expect_type(c, 0, cast::kTypes));
        COFFER_TRY(cast::check(c));
        const int64_t to = c.attr_i("to");
        if (to < 0 || to >= kDTypeCount || !contains(cast::kTypes, static_cast<DType>(to))) {
            return c.unsupported("cannot convert to element type number ", to);
        }
        c.set(0, static_cast<DType>(to), c.shape(0));
        return {};
    }
    static Status reference(RunContext& c) { return cast::reference(c); }
};

}  // namespace coffer::ops
