// Puts the columns of all inputs side by side, as float32.
// https://onnx.ai/onnx/operators/onnx_aionnxml_FeatureVectorizer.html
#pragma once

#include "coffer/ops/family/ml.hpp"

namespace coffer::ops::ml {

struct FeatureVectorizer {
    static constexpr AttrSpec kAttrs[] = {AttrSpec::optional("inputdimensions", AttrSpec::kInts)};
    static constexpr Facts facts{.domain = "ai.onnx.ml",
                                 .name = "FeatureVectorizer",
                                 .since = 1,
                                 .min_inputs = 1,
                                 .max_inputs = kVariadic,
                                 .min_outputs = 1,
                                 .max_outputs = 1,
                                 .attrs = kAttrs};

    static Status infer(InferContext& c) {
        const auto widths = c.attr_ints("inputdimensions");
        if (!widths.empty() && widths.size() != c.input_count()) {
            return c.fail("inputdimensions has ", widths.size(), " values for ", c.input_count(), " inputs");
        }
        int64_t count = 0, total = 0;
        for (size_t i = 0; i < c.input_count(); ++i) {
            if (!c.has_input(i) || !is_ml_number(c.dtype(i))) return c.fail("input ", i, " is not a number tensor");
            Rows rows;
            COFFER_TRY(rows_of(c, c.shape(i), &rows));
            if (i == 0) count = rows.count;
            if (rows.count != count) return c.fail("input ", i, " has ", rows.count, " rows, the first ", count);
            if (!widths.empty() && widths[i] != rows.width) {
                return c.fail("input ", i, " has ", rows.width, " columns, inputdimensions says ", widths[i]);
            }
            if (!checked_add(total, rows.width, &total)) return c.fail("too many columns");
        }
        c.set(0, DType::kFloat, Shape{count, total});
        return {};
    }
    static Status reference(RunContext& c) {
        const TensorView& dst = c.output(0);
        int64_t first = 0;
        for (size_t i = 0; i < c.input_count(); ++i) {
            const int64_t width = c.input(i).shape.back();
            for (int64_t k = 0; k < c.input(i).elements(); ++k) {
                store_double(dst, k / width * dst.shape[1] + first + k % width, load_double(c.input(i), k));
            }
            first += width;
        }
        return {};
    }
};

}  // namespace coffer::ops::ml
