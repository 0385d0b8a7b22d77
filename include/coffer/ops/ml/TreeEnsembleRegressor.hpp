// Regression by a forest. https://onnx.ai/onnx/operators/onnx_aionnxml_TreeEnsembleRegressor.html
#pragma once

#include "coffer/ops/family/ml_tree.hpp"

namespace coffer::ops::ml {

struct TreeEnsembleRegressor {
    static constexpr AttrSpec kAttrs[] = {AttrSpec::s("aggregate_function", "SUM"),
                                          AttrSpec::optional("base_values", AttrSpec::kFloats),
                                          AttrSpec::optional("base_values_as_tensor", AttrSpec::kTensor),
                                          AttrSpec::i("n_targets", 1),
                                          COFFER_TREE_NODE_ATTRS,
                                          AttrSpec::s("post_transform", "NONE"),
                                          AttrSpec::optional("target_ids", AttrSpec::kInts),
                                          AttrSpec::optional("target_nodeids", AttrSpec::kInts),
                                          AttrSpec::optional("target_treeids", AttrSpec::kInts),
                                          AttrSpec::optional("target_weights", AttrSpec::kFloats),
                                          AttrSpec::optional("target_weights_as_tensor", AttrSpec::kTensor)};
    static constexpr Facts facts{.domain = "ai.onnx.ml",
                                 .name = "TreeEnsembleRegressor",
                                 .since = 5,
                                 .min_inputs = 1,
                                 .max_inputs = 1,
                                 .min_outputs = 1,
                                 .max_outputs = 1,
                                 .attrs = kAttrs,
                                 .atol = 1e-5,
                                 .rtol = 1e-5};

    static Status infer(InferContext& c) {
        Rows rows;
        COFFER_TRY(number_rows(c, &rows));
        COFFER_TRY(check_post_transform(c));
        const int64_t targets = c.attr_i("n_targets");
        if (targets < 1) return c.fail("n_targets is ", targets);
        TreeAggregate how;
        if (!aggregate(c, &how)) return c.fail("aggregate_function '", c.attr_s("aggregate_function"), "'");
        const NumberList base(c, "base_values", "base_values_as_tensor");
        if (base.size() != 0 && base.size() != static_cast<size_t>(targets)) {
            return c.fail("base_values has ", base.size(), " values for ", targets, " targets");
        }
        COFFER_TRY(check_id_lists(c, kIdNames));
        c.set(0, DType::kFloat, Shape{rows.count, targets});
        return {};
    }

    static Status reference(RunContext& c) {
        Rows rows;
        Forest forest;
        COFFER_TRY(rows_of(c, c.input(0).shape, &rows));
        COFFER_TRY(build(c, run_memory(c), rows.width, &forest));
        const auto targets = static_cast<size_t>(c.attr_i("n_targets"));
        std::span<double> scores;
        std::span<uint8_t> seen;
        COFFER_TRY(run_memory(c).array(targets, &scores));
        COFFER_TRY(run_memory(c).array(targets, &seen));
        TreeAggregate how;
        (void)aggregate(c, &how);
        const NumberList base(c, "base_values", "base_values_as_tensor");
        for (int64_t i = 0; i < rows.count; ++i) {
            tree_scores(forest, c.input(0), i * rows.width, how, scores, seen);
            for (size_t k = 0; k < base.size(); ++k) scores[k] += base[k];
            store_scores(c.output(0), i * static_cast<int64_t>(targets), post_transform_of(c), SecondColumn::kNone,
                         scores.data(), static_cast<int64_t>(targets));
        }
        return {};
    }

    static Status build(const NodeContext& c, const TreeAllocator& memory, int64_t width, Forest* forest) {
        return build_id_forest(c, memory, kIdNames, c.attr_i("n_targets"), width, forest);
    }
    static bool aggregate(const NodeContext& c, TreeAggregate* how) {
        constexpr std::string_view names[] = {"AVERAGE", "SUM", "MIN", "MAX"};
        for (size_t i = 0; i < std::size(names); ++i) {
            if (c.attr_s("aggregate_function") != names[i]) continue;
            *how = static_cast<TreeAggregate>(i);
            return true;
        }
        return false;
    }

 private:
    static constexpr TreeIdNames kIdNames{"target_treeids", "target_nodeids", "target_ids", "target_weights",
                                          "target_weights_as_tensor"};
};

}  // namespace coffer::ops::ml
