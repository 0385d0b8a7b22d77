// Conversion to the element type of the second input. https://onnx.ai/onnx/operators/onnx__CastLike.html
#pragma once

#include "coffer/ops/family/unary_cast.hpp"

namespace coffer::ops {

struct CastLike : cast::Fast {
    static constexpr AttrSpec attrs[] = {AttrSpec::i("saturate", 1), AttrSpec::s("round_mode", "up")};
    static constexpr Facts facts{.domain = "",
                                 .name = "CastLike",
                                 .since = 25,
                                 .min_inputs = 2,
                                 .max_inputs = 2,
                                 .min_outputs = 1,
                                 .max_outputs = 1,
                                 .attrs = attrs};

    static Status infer(InferContext& c) {
        COFFER_TRY(expect_type(c, 0, cast::kTypes));
        COFFER_TRY(expect_type(c, 1, cast::kTypes));
        COFFER_TRY(cast::check(c));
        c.set(0, c.dtype(1), c.shape(0));
        return {};
    }
    static Status reference(RunContext& c) { return cast::reference(c); }
};

}  // namespace coffer::ops
