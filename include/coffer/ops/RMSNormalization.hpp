// Rows divided by their root mean square, scaled; in the type of the scale.
// https://onnx.ai/onnx/operators/onnx__RMSNormalization.html
#pragma once

#include "coffer/ops/family/norm.hpp"

namespace coffer::ops {

struct RMSNormalization : RowNormalization<RMSNormalization> {
    static constexpr AttrSpec attrs[] = {AttrSpec::i("axis", -1), AttrSpec::f("epsilon", 1e-5f),
                                         AttrSpec::i("stash_type", 1)};
    static constexpr Facts facts{.domain = "",
                                 .name = "RMSNormalization",
                                 .since = 23,
                                 .min_inputs = 2,
                                 .max_inputs = 2,
                                 .min_outputs = 1,
                                 .max_outputs = 1,
                                 .attrs = attrs,
                                 .atol = 1e-5,
                                 .rtol = 1e-4};
    static constexpr RowNorm norm{.scale = 1, .rms = true};

    static Status infer(InferContext& c) {
        DType statistics = DType::kFloat;
        COFFER_TRY(stash_type(c, &statistics));
        return infer_row_norm(c, norm, statistics);
    }
};

}  // namespace coffer::ops
