// The fast variant of tree ensembles: float32 rows, ordered splits (<=, <, >=, >), sums or averages. The forest
// is flattened when it is planned; see kernels/tree.hpp for its form.
#pragma once

#include <cmath>
#include <limits>
#include <tuple>

#include "coffer/kernels/tree.hpp"
#include "coffer/ops/family/ml_tree.hpp"

// The nodes_* attributes that classifier and regressor share.
#define COFFER_TREE_NODE_ATTRS                                                                                       \
    AttrSpec::optional("nodes_falsenodeids", AttrSpec::kInts),                                                       \
        AttrSpec::optional("nodes_featureids", AttrSpec::kInts),                                                     \
        AttrSpec::optional("nodes_hitrates", AttrSpec::kFloats),                                                     \
        AttrSpec::optional("nodes_hitrates_as_tensor", AttrSpec::kTensor),                                           \
        AttrSpec::optional("nodes_missing_value_tracks_true", AttrSpec::kInts),                                      \
        AttrSpec::optional("nodes_modes", AttrSpec::kStrings), AttrSpec::optional("nodes_nodeids", AttrSpec::kInts), \
        AttrSpec::optional("nodes_treeids", AttrSpec::kInts),                                                        \
        AttrSpec::optional("nodes_truenodeids", AttrSpec::kInts),                                                    \
        AttrSpec::optional("nodes_values", AttrSpec::kFloats),                                                       \
        AttrSpec::optional("nodes_values_as_tensor", AttrSpec::kTensor)

namespace coffer::ops::ml {

// How a classifier reads its scores.
struct TreeVote {
    bool binary = false;  // two classes, and only `single` has a score; label 1 when it is over the threshold
    size_t single = 0;
    double threshold = 0;
    SecondColumn second = SecondColumn::kNone;
};

// What an op tells TreeFast.
struct TreeFastSetup {
    int64_t targets = 0;
    bool average = false;
    PostTransform transform = PostTransform::kNone;
    TreeVote vote;
    PrivateVector<double> base;
    std::span<const int64_t> labels;
};

// `x < s` is `x <= the float before s`; `x >= s` is the opposite, with NaN still going to its own side.
inline bool fast_tree_node(const TreeNode& n, kernels::FastTreeNode* out, uint32_t* first, uint32_t* second) {
    if (n.mode > TreeNode::kGt || n.feature >= kernels::kTreeNanFirst - 1) return false;
    auto split = static_cast<float>(n.split);
    if (double{split} != n.split) return false;
    const bool swapped = n.mode == TreeNode::kGte || n.mode == TreeNode::kGt;
    if (n.mode == TreeNode::kLt || n.mode == TreeNode::kGte) {
        if (split == -std::numeric_limits<float>::infinity()) return false;
        split = std::nextafter(split, -std::numeric_limits<float>::infinity());
    }
    *first = swapped ? n.no : n.yes;
    *second = swapped ? n.yes : n.no;
    const bool nan_first = n.missing_is_yes != swapped;
    *out = {split, n.feature | (nan_first ? kernels::kTreeNanFirst : 0), 0};
    return true;
}

inline bool fast_tree_fits(const TreeNode& n) {
    kernels::FastTreeNode fast;
    uint32_t first, second;
    return n.mode == TreeNode::kLeaf || fast_tree_node(n, &fast, &first, &second);
}
inline bool is_float(double weight) {
    return double{static_cast<float>(weight)} == weight;
}

// Op::fits_fast() of the forms with ids: what the kernel can do is seen in the lists, which infer() found sound.
inline bool id_lists_fit_fast(const PlanContext& c, const TreeIdNames& names) {
    const auto modes = c.attr_strings("nodes_modes");
    const auto features = c.attr_ints("nodes_featureids"), missing = c.attr_ints("nodes_missing_value_tracks_true");
    const NumberList splits(c, "nodes_values", "nodes_values_as_tensor");
    for (size_t i = 0; i < modes.size(); ++i) {
        TreeNode n{splits[i], 0, 0, 0, 0, 0, TreeNode::kLeaf, !missing.empty() && missing[i] != 0};
        if (!tree_mode(modes[i], &n.mode)) return false;
        if (n.mode == TreeNode::kLeaf) continue;
        if (!checked_cast(features[i], &n.feature) || !fast_tree_fits(n)) return false;
    }
    const NumberList weights(c, names.weights, names.weights_as_tensor);
    for (size_t i = 0; weights.tensor && i < weights.size(); ++i) {
        if (!is_float(weights[i])) return false;
    }
    return true;
}

// Op has build() (see TreeEnsemble), fits_fast(), which looks at nodes and weights, and fast_params(), which says no
// when the kernel cannot do what else it asks; with an empty forest it may leave out how the trees vote.
template <class Op>
struct TreeFast {
    static bool accepts(const PlanContext& c) {
        if (c.input(0).dtype != DType::kFloat || c.input(0).shape.elements() == 0) return false;
        TreeFastSetup setup;
        if (!Op::fast_params(c, {}, &setup) || setup.transform > PostTransform::kLogistic) return false;
        return Op::fits_fast(c);
    }

    static Status plan(PlanContext& c) {
        PrivateArena memory;
        Forest forest;
        TreeFastSetup setup;
        Rows rows;
        COFFER_TRY(rows_of(c, c.input(0).shape, &rows));
        COFFER_TRY(Op::build(c, plan_memory(memory), rows.width, &forest));
        if (!Op::fast_params(c, forest, &setup) || (setup.vote.binary && setup.vote.single > 1)) {
            return c.fail("not a forest the kernel can run");
        }
        const auto size = [](int64_t n) { return static_cast<size_t>(n); };

        // Inner nodes have one parent. Trees that are named twice and leaves with several parents are kept once:
        // their `set` is their place plus one.
        const auto leaves = static_cast<size_t>(std::ranges::count(forest.nodes, TreeNode::kLeaf, &TreeNode::mode));
        List<kernels::FastTreeNode> nodes(c, forest.roots.size() + 2 * (forest.nodes.size() - leaves));
        List<uint32_t> roots(c, forest.roots.size()), leaf(c, leaves + 1);
        List<kernels::FastTreeWeight> weights(c, forest.weights.size());
        std::vector<std::pair<uint32_t, uint32_t>> open;
        leaf.push(0);
        for (uint32_t root : forest.roots) {
            TreeNode& top = forest.nodes[root];
            if (top.mode != TreeNode::kLeaf && top.set != 0) {
                roots.push(top.set - 1);
                continue;
            }
            roots.push(static_cast<uint32_t>(nodes.size));
            nodes.push({});
            // Depth first, by hand: (place in `nodes`, node of the forest).
            open.assign({{roots.data[roots.size - 1], root}});
            if (top.mode != TreeNode::kLeaf) top.set = open.back().first + 1;
            while (!open.empty()) {
                const auto [place, from] = open.back();
                open.pop_back();
                TreeNode& n = forest.nodes[from];
                if (n.mode == TreeNode::kLeaf) {
                    if (n.set == 0) {
                        for (const TreeWeight& w : forest.weights.subspan(n.yes, n.no - n.yes)) {
                            weights.push({w.target, static_cast<float>(w.weight)});
                        }
                        n.set = static_cast<uint32_t>(leaf.size);
                        leaf.push(static_cast<uint32_t>(weights.size));
                    }
                    nodes.data[place] = {0, kernels::kTreeLeaf, n.set - 1};
                    continue;
                }
                uint32_t first, second;
                kernels::FastTreeNode fast;
                if (!fast_tree_node(n, &fast, &first, &second)) return c.fail("not a forest the kernel can run");
                fast.child = static_cast<uint32_t>(nodes.size);
                nodes.data[place] = fast;
                nodes.push({});
                nodes.push({});
                open.emplace_back(fast.child + 1, second);
                open.emplace_back(fast.child, first);
            }
        }
        kernels::TreeParams p{};
        p.nodes = nodes.data;
        p.roots = roots.data;
        p.leaf = leaf.data;
        p.weights = weights.data;
        p.base = setup.base.empty() ? nullptr : keep(c, setup.base);
        p.labels = keep(c, PrivateVector<int64_t>(setup.labels.begin(), setup.labels.end()));
        p.trees = roots.size;
        p.rows = size(rows.count);
        p.width = size(rows.width);
        p.targets = size(setup.targets);
        p.average = setup.average;
        p.transform = static_cast<uint8_t>(setup.transform);
        p.binary = setup.vote.binary;
        p.second = static_cast<uint8_t>(setup.vote.second);
        p.single = setup.vote.single;
        p.threshold = setup.vote.threshold;
        const Operand workspace = Operand::workspace(c.workspace(p.rows * p.targets * sizeof(double)));
        const auto out = [&](size_t i) { return c.has_output(i) ? Operand::output(i) : Operand::at(nullptr); };
        const bool classifier = Op::facts.max_outputs == 2;
        const Operand operands[] = {Operand::input(0), classifier ? out(0) : Operand::at(nullptr),
                                    classifier ? out(1) : out(0), workspace};
        c.step(c.kernel(0), c.params(p), operands, (p.rows + kernels::kTreeRows - 1) / kernels::kTreeRows,
               static_cast<double>(p.trees * kernels::kTreeRows) * 30);
        return {};
    }
    static constexpr Variant variants[] = {{"forest_f32", &accepts, &plan}};
    template <class Arch>
    static constexpr kernels::KernelFn kernels[] = {&kernels::tree_rows<Arch>};

 private:
    // Lives as long as the plan, like keep()'s copy.
    template <class T>
    struct List {
        T* data;
        size_t size = 0;
        List(PlanContext& c, size_t capacity)
            : data(static_cast<T*>(c.allocate_params(std::max<size_t>(1, capacity * sizeof(T)), alignof(T)))) {}
        void push(const T& value) { data[size++] = value; }
    };
    // A copy that lives as long as the plan.
    template <class T>
    static const T* keep(PlanContext& c, const PrivateVector<T>& values) {
        auto* copy = static_cast<T*>(c.allocate_params(std::max<size_t>(1, values.size() * sizeof(T)), alignof(T)));
        std::copy(values.begin(), values.end(), copy);
        return copy;
    }
};

}  // namespace coffer::ops::ml
