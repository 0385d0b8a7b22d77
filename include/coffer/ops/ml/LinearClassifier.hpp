// Linear scores and the label of the best; one score alone decides between two labels by its sign.
// https://onnx.ai/onnx/operators/onnx_aionnxml_LinearClassifier.html
#pragma once

#include "coffer/ops/family/ml_linear.hpp"

namespace coffer::ops::ml {

struct LinearClassifier {
    static constexpr AttrSpec kAttrs[] = {AttrSpec::optional("classlabels_ints", AttrSpec::kInts),
                                          AttrSpec::optional("classlabels_strings", AttrSpec::kStrings),
                                          AttrSpec::must("coefficients", AttrSpec::kFloats),
                                          AttrSpec::optional("intercepts", AttrSpec::kFloats),
                                          AttrSpec::i("multi_class", 0),
                                          AttrSpec::s("post_transform", "NONE")};
    static constexpr Facts facts{.domain = "ai.onnx.ml",
                                 .name = "LinearClassifier",
                                 .since = 1,
                                 .min_inputs = 1,
                                 .max_inputs = 1,
                                 .min_outputs = 1,
                                 .max_outputs = 2,
                                 .attrs = kAttrs};

    static Status infer(InferContext& c) {
        Rows rows;
        Labels labels;
        COFFER_TRY(number_rows(c, &rows));
        COFFER_TRY(check_post_transform(c));
        COFFER_TRY(labels_of(c, "classlabels_ints", "classlabels_strings", &labels));
        const int64_t scores = score_count(c, rows);
        COFFER_TRY(check_linear(c, rows, scores));
        const auto names = static_cast<int64_t>(labels.size());
        if (names != scores && !(scores == 1 && names == 2)) return c.fail(names, " labels for ", scores, " scores");
        c.set(0, labels.dtype(), Shape{rows.count});
        c.set(1, DType::kFloat, Shape{rows.count, std::max(scores, names)});
        return {};
    }
    static Status reference(RunContext& c) {
        Rows rows;
        Labels labels;
        COFFER_TRY(rows_of(c, c.input(0).shape, &rows));
        COFFER_TRY(labels_of(c, "classlabels_ints", "classlabels_strings", &labels));
        const auto count = static_cast<size_t>(score_count(c, rows));
        COFFER_TRY_ASSIGN(std::byte * memory, c.scratch(count * sizeof(double)));
        auto* const scores = reinterpret_cast<double*>(memory);
        const bool pair = count == 1 && labels.size() == 2;
        for (int64_t i = 0; i < rows.count; ++i) {
            linear_scores(c, rows, i, {scores, count});
            const size_t label = pair ? (scores[0] > 0 ? 1 : 0) : best_score(scores, count);
            if (c.has_output(0)) labels.store(c.output(0), i, label);
            if (!c.has_output(1)) continue;
            PostTransform t = post_transform_of(c);
            if (pair && t == PostTransform::kLogistic) {
                scores[0] = logistic(scores[0]);
                t = PostTransform::kNone;
            }
            store_scores(c.output(1), i * static_cast<int64_t>(labels.size()), t,
                         pair ? SecondColumn::kComplement : SecondColumn::kNone, scores, static_cast<int64_t>(count));
        }
        return {};
    }

 private:
    static int64_t score_count(const NodeContext& c, const Rows& rows) {
        const auto intercepts = static_cast<int64_t>(c.attr_floats("intercepts").size());
        const auto coefficients = static_cast<int64_t>(c.attr_floats("coefficients").size());
        return intercepts > 0 ? intercepts : rows.width > 0 ? coefficients / rows.width : 0;
    }
};

}  // namespace coffer::ops::ml
