// Rows normalized to mean 0 and variance 1, scaled and shifted.
// https://onnx.ai/onnx/operators/onnx__LayerNormalization.html
#pragma once

#include "coffer/ops/family/norm.hpp"

namespace coffer::ops {

struct LayerNormalization : RowNormalization<LayerNormalization> {
    static constexpr AttrSpec attrs[] = {AttrSpec::i("axis", -1), AttrSpec::f("epsilon", 1e-5f),
                                         AttrSpec::i("stash_type", 1)};
    static constexpr Facts facts{.domain = "",
                                 .name = "LayerNormalization",
                                 .since = 17,
                                 .min_inputs = 2,
                                 .max_inputs = 3,
                                 .min_outputs = 1,
                                 .max_outputs = 3,
                                 .attrs = attrs,
                                 .atol = 1e-5,
                                 .rtol = 1e-4,
                                 .inplace_input = 0};
    static constexpr RowNorm norm{.scale = 1, .bias = 2, .mean = 1, .inverse = 2};

    static Status infer(InferContext& c) {
        DType statistics = DType::kFloat;
        COFFER_TRY(stash_type(c, &statistics));
        return infer_row_norm(c, norm, statistics);
    }
};

}  // namespace coffer::ops
