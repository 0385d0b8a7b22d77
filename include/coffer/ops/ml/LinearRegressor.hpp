// X * coefficients^T + intercepts. https://onnx.ai/onnx/operators/onnx_aionnxml_LinearRegressor.html
#pragma once

#include "coffer/ops/family/ml_linear.hpp"

namespace coffer::ops::ml {

struct LinearRegressor {
    static constexpr AttrSpec kAttrs[] = {AttrSpec::optional("coefficients", AttrSpec::kFloats),
                                          AttrSpec::optional("intercepts", AttrSpec::kFloats),
                                          AttrSpec::s("post_transform", "NONE"), AttrSpec::i("targets", 1)};
    static constexpr Facts facts{.domain = "ai.onnx.ml",
                                 .name = "LinearRegressor",
                                 .since = 1,
                                 .min_inputs = 1,
                                 .max_inputs = 1,
                                 .min_outputs = 1,
                                 .max_outputs = 1,
                                 .attrs = kAttrs};

    static Status infer(InferContext& c) {
        Rows rows;
        COFFER_TRY(number_rows(c, &rows));
        COFFER_TRY(check_post_transform(c));
        const int64_t targets = c.attr_i("targets");
        COFFER_TRY(check_linear(c, rows, targets));
        c.set(0, DType::kFloat, Shape{rows.count, targets});
        return {};
    }
    static Status reference(RunContext& c) {
        Rows rows;
        COFFER_TRY(rows_of(c, c.input(0).shape, &rows));
        const int64_t targets = c.attr_i("targets");
        COFFER_TRY_ASSIGN(std::byte * memory, c.scratch(static_cast<size_t>(targets) * sizeof(double)));
        auto* const scores = reinterpret_cast<double*>(memory);
        for (int64_t i = 0; i < rows.count; ++i) {
            linear_scores(c, rows, i, {scores, static_cast<size_t>(targets)});
            store_scores(c.output(0), i * targets, post_transform_of(c), SecondColumn::kNone, scores, targets);
        }
        return {};
    }
};

}  // namespace coffer::ops::ml
