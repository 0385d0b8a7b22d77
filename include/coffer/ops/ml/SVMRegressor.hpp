// Regression (or outlier detection, one_class) by support vectors; without them, a linear model.
// https://onnx.ai/onnx/operators/onnx_aionnxml_SVMRegressor.html
#pragma once

#include "coffer/ops/family/ml_svm.hpp"

namespace coffer::ops::ml {

struct SVMRegressor {
    static constexpr AttrSpec kAttrs[] = {AttrSpec::optional("coefficients", AttrSpec::kFloats),
                                          AttrSpec::optional("kernel_params", AttrSpec::kFloats),
                                          AttrSpec::s("kernel_type", "LINEAR"),
                                          AttrSpec::i("n_supports", 0),
                                          AttrSpec::i("one_class", 0),
                                          AttrSpec::s("post_transform", "NONE"),
                                          AttrSpec::optional("rho", AttrSpec::kFloats),
                                          AttrSpec::optional("support_vectors", AttrSpec::kFloats)};
    static constexpr Facts facts{.domain = "ai.onnx.ml",
                                 .name = "SVMRegressor",
                                 .since = 1,
                                 .min_inputs = 1,
                                 .max_inputs = 1,
                                 .min_outputs = 1,
                                 .max_outputs = 1,
                                 .attrs = kAttrs};

    static Status infer(InferContext& c) {
        Rows rows;
        SvmKernel kernel;
        COFFER_TRY(number_rows(c, &rows));
        COFFER_TRY(check_post_transform(c));
        COFFER_TRY(svm_kernel(c, &kernel));
        const int64_t supports = c.attr_i("n_supports");
        if (supports < 0) return c.fail("n_supports is ", supports);
        if (supports > 0) COFFER_TRY(check_support_vectors(c, static_cast<uint64_t>(supports), rows.width));
        const size_t coefficients = c.attr_floats("coefficients").size();
        if (coefficients != static_cast<uint64_t>(supports > 0 ? supports : rows.width) ||
            c.attr_floats("rho").empty()) {
            return c.fail(coefficients, " coefficients and ", c.attr_floats("rho").size(), " rho for ", supports,
                          " support vectors of ", rows.width, " features");
        }
        c.set(0, DType::kFloat, Shape{rows.count, 1});
        return {};
    }
    static Status reference(RunContext& c) {
        Rows rows;
        SvmKernel kernel;
        COFFER_TRY(rows_of(c, c.input(0).shape, &rows));
        COFFER_TRY(svm_kernel(c, &kernel));
        const auto vectors = c.attr_floats("support_vectors"), coefficients = c.attr_floats("coefficients");
        const auto width = static_cast<size_t>(rows.width), supports = static_cast<size_t>(c.attr_i("n_supports"));
        for (int64_t i = 0; i < rows.count; ++i) {
            double sum = c.attr_floats("rho")[0];
            const int64_t row = i * rows.width;
            for (size_t k = 0; k < supports; ++k) {
                sum += coefficients[k] * kernel(c.input(0), row, vectors.subspan(k * width, width));
            }
            if (supports == 0) sum += kernel(c.input(0), row, coefficients);
            if (c.attr_i("one_class") != 0) sum = sum > 0 ? 1 : -1;
            store_scores(c.output(0), i, post_transform_of(c), SecondColumn::kNone, &sum, 1);
        }
        return {};
    }
};

}  // namespace coffer::ops::ml
