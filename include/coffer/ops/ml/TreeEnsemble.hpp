// Forest in the compact form: inner nodes and leaves in arrays, children by index, set membership splits.
// https://onnx.ai/onnx/operators/onnx_aionnxml_TreeEnsemble.html
#pragma once

#include <tuple>

#include "coffer/ops/family/ml_tree.hpp"

namespace coffer::ops::ml {

struct TreeEnsemble {
    static constexpr AttrSpec kAttrs[] = {AttrSpec::i("aggregate_function", 1),
                                          AttrSpec::must("leaf_targetids", AttrSpec::kInts),
                                          AttrSpec::must("leaf_weights", AttrSpec::kTensor),
                                          AttrSpec::optional("membership_values", AttrSpec::kTensor),
                                          AttrSpec::i("n_targets", 1),
                                          AttrSpec::must("nodes_falseleafs", AttrSpec::kInts),
                                          AttrSpec::must("nodes_falsenodeids", AttrSpec::kInts),
                                          AttrSpec::must("nodes_featureids", AttrSpec::kInts),
                                          AttrSpec::optional("nodes_hitrates", AttrSpec::kTensor),
                                          AttrSpec::optional("nodes_missing_value_tracks_true", AttrSpec::kInts),
                                          AttrSpec::must("nodes_modes", AttrSpec::kTensor),
                                          AttrSpec::must("nodes_splits", AttrSpec::kTensor),
                                          AttrSpec::must("nodes_trueleafs", AttrSpec::kInts),
                                          AttrSpec::must("nodes_truenodeids", AttrSpec::kInts),
                                          AttrSpec::i("post_transform", 0),
                                          AttrSpec::must("tree_roots", AttrSpec::kInts)};
    static constexpr Facts facts{.domain = "ai.onnx.ml",
                                 .name = "TreeEnsemble",
                                 .since = 5,
                                 .min_inputs = 1,
                                 .max_inputs = 1,
                                 .min_outputs = 1,
                                 .max_outputs = 1,
                                 .attrs = kAttrs,
                                 .atol = 1e-5,
                                 .rtol = 1e-5};

    static Status infer(InferContext& c) {
        const DType t = c.dtype(0);
        if (t != DType::kFloat && t != DType::kDouble && t != DType::kFloat16) return c.fail("type ", t);
        Rows rows;
        COFFER_TRY(rows_of(c, c.shape(0), &rows));
        const int64_t targets = c.attr_i("n_targets"), how = c.attr_i("aggregate_function");
        const int64_t transform = c.attr_i("post_transform");
        if (targets < 1) return c.fail("n_targets is ", targets);
        if (how < 0 || how > 3) return c.fail("aggregate_function is ", how);
        if (transform < 0 || transform > 4) return c.fail("post_transform is ", transform);
        PrivateArena memory;
        Forest forest;
        COFFER_TRY(build(c, block_memory(memory), rows.width, &forest));
        c.set(0, t, Shape{rows.count, targets});
        return {};
    }

    static Status reference(RunContext& c) {
        Rows rows;
        Forest forest;
        COFFER_TRY(rows_of(c, c.input(0).shape, &rows));
        COFFER_TRY(build(c, run_memory(c), rows.width, &forest));
        const int64_t targets = c.attr_i("n_targets");
        std::span<double> scores;
        std::span<uint8_t> seen;
        COFFER_TRY(run_memory(c).array(static_cast<size_t>(targets), &scores));
        COFFER_TRY(run_memory(c).array(static_cast<size_t>(targets), &seen));
        for (int64_t i = 0; i < rows.count; ++i) {
            tree_scores(forest, c.input(0), i * rows.width,
                        static_cast<TreeAggregate>(c.attr_i("aggregate_function")), scores, seen);
            store_scores(c.output(0), i * targets, static_cast<PostTransform>(c.attr_i("post_transform")),
                         SecondColumn::kNone, scores.data(), targets);
        }
        return {};
    }

    // Leaf i of the node becomes node `inner + i` of the forest.
    static Status build(const NodeContext& c, const TreeAllocator& memory, int64_t width, Forest* f) {
        const auto roots = c.attr_ints("tree_roots"), features = c.attr_ints("nodes_featureids");
        const auto yes = c.attr_ints("nodes_truenodeids"), no = c.attr_ints("nodes_falsenodeids");
        const auto yes_leaf = c.attr_ints("nodes_trueleafs"), no_leaf = c.attr_ints("nodes_falseleafs");
        const auto missing = c.attr_ints("nodes_missing_value_tracks_true"), targets = c.attr_ints("leaf_targetids");
        const TensorView &modes = c.attr_tensor("nodes_modes")->view(),
                         &splits = c.attr_tensor("nodes_splits")->view();
        const TensorView& weights = c.attr_tensor("leaf_weights")->view();
        const size_t inner = features.size(), leaves = targets.size();
        const auto has = [](const TensorView& t, size_t n) { return static_cast<size_t>(t.elements()) == n; };
        if (yes.size() != inner || no.size() != inner || yes_leaf.size() != inner || no_leaf.size() != inner ||
            !has(modes, inner) || !has(splits, inner) || (!missing.empty() && missing.size() != inner) ||
            !has(weights, leaves) || inner + leaves >= UINT32_MAX) {
            return c.fail("nodes_* or leaf_* lists have different lengths: ", inner, " features, ", yes.size(),
                          " and ", no.size(), " children, ", modes.elements(), " modes, ", splits.elements(),
                          " splits, ", leaves, " targets, ", weights.elements(), " weights");
        }
        if (modes.dtype != DType::kUint8 || !is_floating(splits.dtype) || !is_floating(weights.dtype)) {
            return c.fail("nodes_modes, nodes_splits and leaf_weights have types ", modes.dtype, ", ", splits.dtype,
                          ", ", weights.dtype);
        }
        std::span<uint8_t> parents;
        COFFER_TRY(memory.array(inner + leaves, &f->nodes));
        COFFER_TRY(memory.array(inner + leaves, &parents));
        COFFER_TRY(memory.array(leaves, &f->weights));
        COFFER_TRY(memory.array(roots.size(), &f->roots));
        std::fill(parents.begin(), parents.end(), uint8_t{0});
        COFFER_TRY(read_members(c, memory, f));
        size_t set = 0;
        for (size_t i = 0; i < inner; ++i) {
            TreeNode& n = f->nodes[i];
            const int64_t mode = load_int(modes, static_cast<int64_t>(i));
            if (mode > TreeNode::kMember) return c.fail("node ", i, " has mode ", mode);
            n = {load_double(splits, static_cast<int64_t>(i)), 0, 0, 0, 0, 0, static_cast<TreeNode::Mode>(mode),
                 !missing.empty() && missing[i] != 0};
            if (!checked_cast(features[i], &n.feature)) return c.fail("node ", i, " looks at feature ", features[i]);
            if (n.mode == TreeNode::kMember) {
                n.set = static_cast<uint32_t>(set);
                while (set < f->members.size() && !std::isnan(f->members[set])) ++set;
                n.set_end = static_cast<uint32_t>(set);
                if (set < f->members.size()) ++set;  // the NaN after each set
            }
            for (const auto& [leaf, id, out] :
                 {std::tuple{yes_leaf[i], yes[i], &n.yes}, {no_leaf[i], no[i], &n.no}}) {
                const size_t limit = leaf ? leaves : inner;
                if (id < 0 || static_cast<uint64_t>(id) >= limit) {
                    return c.fail("node ", i, ": child ", leaf ? "leaf " : "", id, " of ", limit);
                }
                *out = static_cast<uint32_t>(leaf ? inner + static_cast<size_t>(id) : static_cast<size_t>(id));
                // Leaves may be shared, and a tree that is one leaf has it as both children.
                if (!leaf && parents[*out] < 2) ++parents[*out];
            }
        }
        for (size_t i = 0; i < leaves; ++i) {
            if (targets[i] < 0 || targets[i] >= c.attr_i("n_targets")) {
                return c.fail("leaf ", i, " has target ", targets[i], " of ", c.attr_i("n_targets"));
            }
            const auto at = static_cast<uint32_t>(i);
            f->nodes[inner + i] = {0, 0, at, at + 1, 0, 0, TreeNode::kLeaf, false};
            f->weights[i] = {static_cast<uint32_t>(targets[i]), load_double(weights, static_cast<int64_t>(i))};
        }
        for (size_t i = 0; i < roots.size(); ++i) {
            if (roots[i] < 0 || static_cast<uint64_t>(roots[i]) >= inner) {
                return c.fail("tree root ", roots[i], " of ", inner, " nodes");
            }
            f->roots[i] = static_cast<uint32_t>(roots[i]);
        }
        return tree_check(c, memory, *f, parents, width);
    }

 private:
    static Status read_members(const NodeContext& c, const TreeAllocator& memory, Forest* f) {
        const Tensor* values = c.attr_tensor("membership_values");
        if (!values) return {};
        if (!is_floating(values->dtype())) return c.fail("membership_values of type ", values->dtype());
        std::span<double> members;
        COFFER_TRY(memory.array(static_cast<size_t>(values->elements()), &members));
        for (size_t i = 0; i < members.size(); ++i) members[i] = load_double(values->view(), static_cast<int64_t>(i));
        f->members = members;
        return {};
    }
};

}  // namespace coffer::ops::ml
