// Divides each row by its norm (MAX: its largest value); a row whose norm is 0 stays as it is.
// https://onnx.ai/onnx/operators/onnx_aionnxml_Normalizer.html
#pragma once

#include "coffer/ops/family/ml.hpp"

namespace coffer::ops::ml {

struct Normalizer {
    static constexpr AttrSpec kAttrs[] = {AttrSpec::s("norm", "MAX")};
    static constexpr Facts facts{.domain = "ai.onnx.ml",
                                 .name = "Normalizer",
                                 .since = 1,
                                 .min_inputs = 1,
                                 .max_inputs = 1,
                                 .min_outputs = 1,
                                 .max_outputs = 1,
                                 .attrs = kAttrs};

    static Status infer(InferContext& c) {
        Rows rows;
        COFFER_TRY(number_rows(c, &rows));
        const std::string_view norm = c.attr_s("norm");
        if (norm != "MAX" && norm != "L1" && norm != "L2") return c.fail("norm '", norm, "'");
        c.set(0, DType::kFloat, c.shape(0));
        return {};
    }
    static Status reference(RunContext& c) {
        Rows rows;
        COFFER_TRY(rows_of(c, c.input(0).shape, &rows));
        const std::string_view norm = c.attr_s("norm");
        for (int64_t at = 0; at < rows.count * rows.width; at += rows.width) {
            double sum = 0, most = -HUGE_VAL;
            for (int64_t i = at; i < at + rows.width; ++i) {
                const double x = load_double(c.input(0), i);
                sum += norm == "L2" ? x * x : std::fabs(x);
                most = std::max(most, x);
            }
            double by = norm == "MAX" ? most : norm == "L2" ? std::sqrt(sum) : sum;
            if (by == 0) by = 1;
            for (int64_t i = at; i < at + rows.width; ++i)
                store_double(c.output(0), i, load_double(c.input(0), i) / by);
        }
        return {};
    }
};

}  // namespace coffer::ops::ml
