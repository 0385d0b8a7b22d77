// Classification by a forest: the best label and the scores of all classes.
// https://onnx.ai/onnx/operators/onnx_aionnxml_TreeEnsembleClassifier.html
#pragma once

#include "coffer/ops/family/ml_tree.hpp"

namespace coffer::ops::ml {

// How a classifier reads its scores.
struct TreeVote {
    bool binary = false;  // two classes, and only `single` has a score; label 1 when it is over the threshold
    size_t single = 0;
    double threshold = 0;
    SecondColumn second = SecondColumn::kNone;
};

struct TreeEnsembleClassifier {
    static constexpr AttrSpec kAttrs[] = {AttrSpec::optional("base_values", AttrSpec::kFloats),
                                          AttrSpec::optional("base_values_as_tensor", AttrSpec::kTensor),
                                          AttrSpec::optional("class_ids", AttrSpec::kInts),
                                          AttrSpec::optional("class_nodeids", AttrSpec::kInts),
                                          AttrSpec::optional("class_treeids", AttrSpec::kInts),
                                          AttrSpec::optional("class_weights", AttrSpec::kFloats),
                                          AttrSpec::optional("class_weights_as_tensor", AttrSpec::kTensor),
                                          AttrSpec::optional("classlabels_int64s", AttrSpec::kInts),
                                          AttrSpec::optional("classlabels_strings", AttrSpec::kStrings),
                                          COFFER_TREE_NODE_ATTRS,
                                          AttrSpec::s("post_transform", "NONE")};
    static constexpr Facts facts{.domain = "ai.onnx.ml",
                                 .name = "TreeEnsembleClassifier",
                                 .since = 5,
                                 .min_inputs = 1,
                                 .max_inputs = 1,
                                 .min_outputs = 1,
                                 .max_outputs = 2,
                                 .attrs = kAttrs,
                                 .atol = 1e-5,
                                 .rtol = 1e-5};

    static Status infer(InferContext& c) {
        Rows rows;
        Labels labels;
        COFFER_TRY(number_rows(c, &rows));
        COFFER_TRY(check_post_transform(c));
        COFFER_TRY(labels_of(c, "classlabels_int64s", "classlabels_strings", &labels));
        if (labels.size() == 0) return c.fail("has no class labels");
        const NumberList base(c, "base_values", "base_values_as_tensor");
        if (base.size() > 1 && base.size() != labels.size()) {
            return c.fail("base_values has ", base.size(), " values for ", labels.size(), " classes");
        }
        COFFER_TRY(check_id_lists(c, kIdNames));
        c.set(0, labels.dtype(), Shape{rows.count});
        c.set(1, DType::kFloat, Shape{rows.count, static_cast<int64_t>(labels.size())});
        return {};
    }

    static Status reference(RunContext& c) {
        Rows rows;
        Labels labels;
        Forest forest;
        COFFER_TRY(rows_of(c, c.input(0).shape, &rows));
        COFFER_TRY(labels_of(c, "classlabels_int64s", "classlabels_strings", &labels));
        COFFER_TRY(build(c, run_memory(c), rows.width, &forest));
        std::span<double> scores;
        std::span<uint8_t> seen;
        COFFER_TRY(run_memory(c).array(labels.size(), &scores));
        COFFER_TRY(run_memory(c).array(labels.size(), &seen));
        const TreeVote vote = vote_of(forest, labels.size());
        const NumberList base(c, "base_values", "base_values_as_tensor");
        const auto columns = static_cast<int64_t>(labels.size());
        for (int64_t i = 0; i < rows.count; ++i) {
            tree_scores(forest, c.input(0), i * rows.width, TreeAggregate::kSum, scores, seen);
            double* first = scores.data() + vote.single;
            for (size_t k = 0; k < base.size(); ++k) {
                if (!vote.binary || k + 1 == base.size()) scores[vote.binary ? vote.single : k] += base[k];
            }
            size_t label = best_score(scores.data(), labels.size());
            if (vote.binary) label = *first > vote.threshold ? 1 : 0;
            if (c.has_output(0)) labels.store(c.output(0), i, label);
            if (!c.has_output(1)) continue;
            store_scores(c.output(1), i * columns, post_transform_of(c), vote.second,
                         vote.binary ? first : scores.data(), vote.binary ? 1 : columns);
        }
        return {};
    }

    static Status build(const NodeContext& c, const TreeAllocator& memory, int64_t width, Forest* forest) {
        return build_id_forest(c, memory, kIdNames, classes(c), width, forest);
    }
    // Two classes of which only one ever gets weight: its score decides. Weights that are all positive are
    // probabilities, otherwise the score is a margin around 0.
    static TreeVote vote_of(const Forest& forest, size_t classes) {
        TreeVote vote;
        bool positive = true;
        for (const TreeWeight& w : forest.weights) {
            if (w.target != forest.weights[0].target) return vote;
            positive = positive && w.weight >= 0;
        }
        if (classes != 2 || forest.weights.empty()) return vote;
        vote.binary = true;
        vote.single = forest.weights[0].target;
        vote.threshold = positive ? 0.5 : 0;
        vote.second = positive ? SecondColumn::kComplement : SecondColumn::kNegated;
        return vote;
    }

 private:
    static constexpr TreeIdNames kIdNames{"class_treeids", "class_nodeids", "class_ids", "class_weights",
                                          "class_weights_as_tensor"};
    static int64_t classes(const NodeContext& c) {
        return static_cast<int64_t>(
            std::max(c.attr_ints("classlabels_int64s").size(), c.attr_strings("classlabels_strings").size()));
    }
};

}  // namespace coffer::ops::ml
