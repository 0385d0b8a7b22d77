// RMSNormalization from before ai.onnx had it; also gives 1 / RMS.
#pragma once

#include "coffer/ops/family/norm.hpp"

namespace coffer::ops::ms {

struct SimplifiedLayerNormalization : RowNormalization<SimplifiedLayerNormalization> {
    static constexpr AttrSpec attrs[] = {AttrSpec::i("axis", -1), AttrSpec::f("epsilon", 1e-5f),
                                         AttrSpec::i("stash_type", 1)};
    static constexpr Facts facts{.domain = "com.microsoft",
                                 .name = "SimplifiedLayerNormalization",
                                 .since = 1,
                                 .min_inputs = 2,
                                 .max_inputs = 2,
                                 .min_outputs = 1,
                                 .max_outputs = 2,
                                 .attrs = attrs,
                                 .atol = 1e-5,
                                 .rtol = 1e-4};
    static constexpr RowNorm norm{.scale = 1, .inverse = 1, .rms = true};

    static Status infer(InferContext& c) {
        DType statistics = DType::kFloat;
        COFFER_TRY(stash_type(c, &statistics));
        return infer_row_norm(c, norm, statistics);
    }
};

}  // namespace coffer::ops::ms
