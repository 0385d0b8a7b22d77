// Trees over rows of float32, laid out as the kernel walks them, so that a model opens without building any: what a
// pass makes of ONNX's tree ensembles. Splits are x <= split; other orders were turned into that.
//
// Inputs   0 X             float32 (rows, features), or (features) as one row
//          1 nodes         u32 (nodes, 3): bits of the split, feature, child, as in kernels::TreeNode. The second
//                          child stands after the first, both after their only parent
//          2 roots         u32 (trees): nodes without a parent, each named once
//          3 leaf_weights  float32 (leaves, n_targets); or (weights), with the next two
//          4 leaf_targets  u32 (weights): the target that each is for
//          5 leaf_offsets  u32 (leaves + 1): leaf i has the weights [offset i, offset i + 1)
//          A leaf with several weights is that of one node.
//          6 base          float64 (n_targets), added at the end
//          7 labels        int64 (columns), of output 1
// Outputs  0 scores        float32 (rows, columns)
//          1 label         int64 (rows): of the best column, the first of equals
// Attributes: aggregate_function SUM or AVERAGE, post_transform NONE, SOFTMAX or LOGISTIC. There is a column for each
// target, or, with two_classes, two that the score s of the only target becomes: 1 - s, s for "PROBABILITY", where
// the second is the best over 0.5; -s, s for "MARGIN", where it is over 0.
#pragma once

#include <cmath>
#include <span>
#include <type_traits>

#include "coffer/base/checked.hpp"
#include "coffer/kernels/tree.hpp"
#include "coffer/ops/family/ml_tree.hpp"

namespace coffer::ops::own {

struct Forest {
    static constexpr AttrSpec attrs[] = {AttrSpec::s("aggregate_function", "SUM"), AttrSpec::i("n_targets", 1),
                                         AttrSpec::s("post_transform", "NONE"), AttrSpec::s("two_classes", "")};
    static constexpr Facts facts{.domain = "ai.coffer",
                                 .name = "Forest",
                                 .since = 1,
                                 .min_inputs = 4,
                                 .max_inputs = 8,
                                 .min_outputs = 1,
                                 .max_outputs = 2,
                                 .attrs = attrs,
                                 .atol = 1e-5,
                                 .rtol = 1e-5};

    static Status infer(InferContext& c) {
        for (size_t i = 0; i < std::size(kTypes); ++i) {
            if (c.has_input(i) && c.dtype(i) != kTypes[i]) return c.fail(kNames[i], " of type ", c.dtype(i));
        }
        ml::Rows rows;
        Setup s;
        COFFER_TRY(ml::rows_of(c, c.shape(kX), &rows));
        COFFER_TRY(setup_of(c, &s));
        const auto must = [&](size_t i, bool fits, const auto&... expected) -> Status {
            if (fits) return {};
            return c.fail(kNames[i], " has shape ", c.shape(i), ", expected (", expected..., ")");
        };
        const Shape &nodes = c.shape(kNodes), &weights = c.shape(kWeights);
        COFFER_TRY(must(kNodes, nodes.rank() == 2 && nodes[1] == 3 && nodes[0] < UINT32_MAX, "nodes, 3"));
        COFFER_TRY(must(kRoots, c.shape(kRoots).rank() == 1, "trees"));
        if (c.has_input(kOffsets) != c.has_input(kTargets))
            return c.fail("leaf_targets and leaf_offsets go together");
        if (c.has_input(kOffsets)) {
            const Shape& offsets = c.shape(kOffsets);
            COFFER_TRY(must(kWeights, weights.rank() == 1, "weights"));
            COFFER_TRY(must(kTargets, c.shape(kTargets) == weights, weights[0]));
            COFFER_TRY(must(kOffsets, offsets.rank() == 1 && offsets[0] > 0, "leaves + 1"));
        } else {
            COFFER_TRY(must(kWeights, weights.rank() == 2 && weights[1] == s.targets, "leaves, ", s.targets));
        }
        if (c.has_input(kBase)) COFFER_TRY(must(kBase, c.shape(kBase) == Shape{s.targets}, s.targets));
        if (c.has_output(1) && !c.has_input(kLabels)) return c.fail("has no labels to choose from");
        if (c.has_input(kLabels)) COFFER_TRY(must(kLabels, c.shape(kLabels) == Shape{s.columns()}, s.columns()));
        c.set(0, DType::kFloat, Shape{rows.count, s.columns()});
        c.set(1, DType::kInt64, Shape{rows.count});
        return {};
    }

    static Status reference(RunContext& c) {
        ml::Rows rows;
        Setup s;
        COFFER_TRY(ml::rows_of(c, c.input(kX).shape, &rows));
        COFFER_TRY(setup_of(c, &s));
        Arrays a([&](size_t i) { return c.has_input(i) ? &c.input(i) : nullptr; });
        COFFER_TRY(check(c, ml::run_memory(c), a, rows.width, s.targets));
        std::span<double> scores;
        COFFER_TRY(ml::run_memory(c).array(static_cast<size_t>(s.targets), &scores));
        for (int64_t row = 0; row < rows.count; ++row) {
            std::fill(scores.begin(), scores.end(), 0.0);
            const float* x = c.input(kX).as<float>() + row * rows.width;
            for (const uint32_t root : a.roots) a.add(a.leaf(root, x), scores);
            for (double& score : scores) score /= s.average ? static_cast<double>(a.roots.size()) : 1;
            for (size_t k = 0; k < a.base.size(); ++k) scores[k] += a.base[k];
            if (c.has_output(1)) {
                size_t best = ml::best_score(scores.data(), scores.size());
                if (s.two_classes != kernels::TwoClasses::kNone) best = scores[0] > s.threshold() ? 1 : 0;
                c.output(1).as<int64_t>()[row] = c.input(kLabels).as<int64_t>()[best];
            }
            if (c.has_output(0)) {
                ml::store_scores(c.output(0), row * s.columns(), s.transform, s.second(), scores.data(), s.targets);
            }
        }
        return {};
    }

    static bool accepts(const PlanContext& c) {
        for (size_t i = kNodes; i < c.input_count(); ++i) {
            if (c.has_input(i) && !c.is_constant(i)) return false;
        }
        return c.input(kX).shape.elements() > 0;
    }
    static Status plan(PlanContext& c) {
        ml::Rows rows;
        Setup s;
        COFFER_TRY(ml::rows_of(c, c.input(kX).shape, &rows));
        COFFER_TRY(setup_of(c, &s));
        const Arrays a([&](size_t i) { return c.has_input(i) ? c.constant(i) : nullptr; });
        PrivateArena memory;
        COFFER_TRY(check(c, ml::block_memory(memory), a, rows.width, s.targets));
        kernels::TreeParams p{};
        p.trees = a.roots.size();
        p.rows = static_cast<size_t>(rows.count);
        p.width = static_cast<size_t>(rows.width);
        p.targets = static_cast<size_t>(s.targets);
        p.average = s.average;
        p.transform = static_cast<uint8_t>(s.transform);
        p.two_classes = s.two_classes;
        size_t workspace;
        if (!checked_mul(p.rows, p.targets, &workspace) || !checked_mul(workspace, sizeof(double), &workspace)) {
            return error(Code::kLimit, "a forest has too many targets");
        }
        Operand operands[11];
        for (size_t i = 0; i < 8; ++i) operands[i] = c.has_input(i) ? Operand::input(i) : Operand::at(nullptr);
        for (size_t i = 0; i < 2; ++i) operands[8 + i] = c.has_output(i) ? Operand::output(i) : Operand::at(nullptr);
        operands[10] = Operand::workspace(c.workspace(workspace));
        c.step(c.kernel(0), c.params(p), operands, (p.rows + kernels::kTreeRows - 1) / kernels::kTreeRows,
               static_cast<double>(p.trees * kernels::kTreeRows) * 30);
        return {};
    }
    static constexpr Variant variants[] = {{"forest_f32", &accepts, &plan}};
    template <class Arch>
    static constexpr kernels::KernelFn kernels[] = {&kernels::tree_rows<Arch>};

 private:
    enum : size_t { kX, kNodes, kRoots, kWeights, kTargets, kOffsets, kBase, kLabels };
    static constexpr DType kTypes[] = {DType::kFloat,  DType::kUint32, DType::kUint32, DType::kFloat,
                                       DType::kUint32, DType::kUint32, DType::kDouble, DType::kInt64};
    static constexpr const char* kNames[] = {"X",    "nodes", "roots", "leaf_weights", "leaf_targets", "leaf_offsets",
                                             "base", "labels"};

    struct Setup {
        int64_t targets = 1;
        bool average = false;
        ml::PostTransform transform = ml::PostTransform::kNone;
        kernels::TwoClasses two_classes = kernels::TwoClasses::kNone;

        int64_t columns() const { return two_classes == kernels::TwoClasses::kNone ? targets : 2; }
        double threshold() const { return two_classes == kernels::TwoClasses::kProbability ? 0.5 : 0; }
        ml::SecondColumn second() const {
            constexpr ml::SecondColumn of[] = {ml::SecondColumn::kNone, ml::SecondColumn::kComplement,
                                               ml::SecondColumn::kNegated};
            return of[static_cast<size_t>(two_classes)];
        }
    };
    static Status setup_of(const NodeContext& c, Setup* s) {
        const std::string_view how = c.attr_s("aggregate_function"), two = c.attr_s("two_classes");
        s->targets = c.attr_i("n_targets");
        s->average = how == "AVERAGE";
        if (!s->average && how != "SUM") return c.fail("aggregate_function '", how, "'");
        if (!ml::post_transform(c.attr_s("post_transform"), &s->transform) ||
            s->transform > ml::PostTransform::kLogistic) {
            return c.fail("post_transform '", c.attr_s("post_transform"), "'");
        }
        if (two == "PROBABILITY") s->two_classes = kernels::TwoClasses::kProbability;
        if (two == "MARGIN") s->two_classes = kernels::TwoClasses::kMargin;
        const bool one_score = s->two_classes != kernels::TwoClasses::kNone;
        if (!one_score && !two.empty()) return c.fail("two_classes '", two, "'");
        if (s->targets < 1 || (one_score && s->targets != 1)) return c.fail("n_targets is ", s->targets);
        return {};
    }

    // The inputs as what they are.
    struct Arrays {
        std::span<const kernels::TreeNode> nodes;
        std::span<const uint32_t> roots;
        std::span<const float> weights;
        std::span<const uint32_t> targets, offsets;
        std::span<const double> base;
        size_t leaves = 0, per_leaf = 0;  // per_leaf: 0 with offsets

        template <class View>  // the TensorView of an input, or nullptr
        explicit Arrays(const View& view) {
            const auto list = [&](size_t i, auto* out) {
                using Span = std::remove_pointer_t<decltype(out)>;
                if (const TensorView* v = view(i)) *out = v->template span<typename Span::element_type>();
            };
            const TensorView& n = *view(kNodes);
            const Shape& w = view(kWeights)->shape;
            nodes = {n.as<const kernels::TreeNode>(), static_cast<size_t>(n.shape[0])};
            list(kRoots, &roots);
            list(kWeights, &weights);
            list(kTargets, &targets);
            list(kOffsets, &offsets);
            list(kBase, &base);
            if (offsets.empty()) per_leaf = static_cast<size_t>(w[1]);
            leaves = offsets.empty() ? static_cast<size_t>(w[0]) : offsets.size() - 1;
        }

        uint32_t leaf(uint32_t at, const float* x) const {
            while (nodes[at].feature != kernels::kTreeLeaf) {
                const kernels::TreeNode& n = nodes[at];
                const float value = x[feature(n)];
                const bool nan_first = (n.feature & kernels::kTreeNanFirst) != 0;
                at = value <= n.split || (std::isnan(value) && nan_first) ? n.child : n.child + 1;
            }
            return nodes[at].child;
        }
        size_t size(uint32_t leaf) const { return per_leaf ? per_leaf : offsets[leaf + 1] - offsets[leaf]; }
        void add(uint32_t leaf, std::span<double> scores) const {
            const size_t begin = per_leaf ? leaf * per_leaf : offsets[leaf];
            const size_t end = per_leaf ? begin + per_leaf : offsets[leaf + 1];
            for (size_t i = begin; i < end; ++i) scores[per_leaf ? i - begin : targets[i]] += double{weights[i]};
        }
        static uint32_t feature(const kernels::TreeNode& n) { return (n.feature & ~kernels::kTreeNanFirst) - 1; }
    };

    // All that a walk relies on. Children come after their parents, so it ends; trees share no nodes, so all walks of
    // a row together take no more steps than there are nodes; and they add no more weights than there are.
    static Status check(const NodeContext& c, const ml::TreeAllocator& memory, const Arrays& a, int64_t width,
                        int64_t targets) {
        const size_t count = a.nodes.size();
        std::span<uint8_t> taken, found;  // nodes, by a parent or as a root; leaves with several weights, by a node
        COFFER_TRY(memory.array(count, &taken));
        COFFER_TRY(memory.array(a.leaves, &found));
        std::fill(taken.begin(), taken.end(), uint8_t{0});
        std::fill(found.begin(), found.end(), uint8_t{0});
        for (size_t i = 0; i < count; ++i) {
            const kernels::TreeNode& n = a.nodes[i];
            if (n.feature == kernels::kTreeLeaf) {
                if (n.child >= a.leaves) return c.fail("node ", i, " is leaf ", n.child, " of ", a.leaves);
                continue;
            }
            if (Arrays::feature(n) >= width) {
                return c.fail("node ", i, " looks at feature ", Arrays::feature(n), " of ", width);
            }
            if (n.child <= i || n.child >= count - 1) {
                return c.fail("node ", i, " of ", count, " has child ", n.child, " and the next");
            }
            for (const uint32_t child : {n.child, n.child + 1}) {
                if (taken[child]++ != 0) return c.fail("node ", child, " has several parents");
            }
        }
        for (const uint32_t root : a.roots) {
            if (root >= count) return c.fail("root ", root, " of ", count, " nodes");
            if (taken[root]++ != 0) return c.fail("root ", root, " is also a child, or is named twice");
        }
        for (const uint32_t target : a.targets) {
            if (target >= targets) return c.fail("weight of target ", target, " of ", targets);
        }
        uint32_t last = 0;
        for (const uint32_t offset : a.offsets) {
            if (offset < last || offset > a.weights.size()) {
                return c.fail("leaf_offsets has ", offset, " after ", last, ", of ", a.weights.size(), " weights");
            }
            last = offset;
        }
        for (size_t i = 0; i < count; ++i) {
            const kernels::TreeNode& n = a.nodes[i];
            if (n.feature == kernels::kTreeLeaf && taken[i] != 0 && a.size(n.child) > 1 && found[n.child]++ != 0)
                return c.fail("leaf ", n.child, " has several weights and several nodes");
        }
        return {};
    }
};

}  // namespace coffer::ops::own
