// RMSNormalization of input + skip + bias over the last axis; the sum is an output too.
#pragma once

#include "coffer/ops/family/norm.hpp"

namespace coffer::ops::ms {

struct SkipSimplifiedLayerNormalization : RowNormalization<SkipSimplifiedLayerNormalization> {
    static constexpr AttrSpec attrs[] = {AttrSpec::f("epsilon", 1e-12f)};
    static constexpr Facts facts{.domain = "com.microsoft",
                                 .name = "SkipSimplifiedLayerNormalization",
                                 .since = 1,
                                 .min_inputs = 3,
                                 .max_inputs = 4,
                                 .min_outputs = 1,
                                 .max_outputs = 4,
                                 .attrs = attrs,
                                 .atol = 1e-5,
                                 .rtol = 1e-4};
    static constexpr RowNorm norm{
        .scale = 2, .skip = 1, .skip_bias = 3, .mean = 1, .inverse = 2, .sum = 3, .rms = true};

    static Status infer(InferContext& c) { return infer_row_norm(c, norm, DType::kFloat); }
};

}  // namespace coffer::ops::ms
