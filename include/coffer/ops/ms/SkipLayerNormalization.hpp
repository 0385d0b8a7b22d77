// LayerNormalization of input + skip + bias over the last axis; the sum is an output too.
#pragma once

#include "coffer/ops/family/norm.hpp"

namespace coffer::ops::ms {

struct SkipLayerNormalization : RowNormalization<SkipLayerNormalization> {
    static constexpr AttrSpec attrs[] = {AttrSpec::f("epsilon", 1e-12f)};
    static constexpr Facts facts{.domain = "com.microsoft",
                                 .name = "SkipLayerNormalization",
                                 .since = 1,
                                 .min_inputs = 3,
                                 .max_inputs = 5,
                                 .min_outputs = 1,
                                 .max_outputs = 4,
                                 .attrs = attrs,
                                 .atol = 1e-5,
                                 .rtol = 1e-4};
    static constexpr RowNorm norm{
        .scale = 2, .bias = 3, .skip = 1, .skip_bias = 4, .mean = 1, .inverse = 2, .sum = 3};

    static Status infer(InferContext& c) { return infer_row_norm(c, norm, DType::kFloat); }
};

}  // namespace coffer::ops::ms
