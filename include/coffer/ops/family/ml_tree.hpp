// Tree ensembles: one compact forest, built from either way ONNX writes trees (TreeEnsemble's indices, or the
// node and tree ids of TreeEnsembleClassifier and -Regressor), checked while it is built: every child exists,
// every inner node has at most one parent and every root none, so that a walk from a root always ends; and no tree is
// named twice, so that all walks of a row together take no more steps than there are nodes.
#pragma once

#include <algorithm>
#include <limits>
#include <numeric>

#include "coffer/base/private_arena.hpp"
#include "coffer/ops/family/ml.hpp"

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

struct TreeNode {
    enum Mode : uint8_t { kLeq, kLt, kGte, kGt, kEq, kNeq, kMember, kLeaf };
    double split;
    uint32_t feature;
    uint32_t yes, no;       // children; of a leaf: its weights [yes, no)
    uint32_t set, set_end;  // kMember: values [set, set_end)
    Mode mode;
    bool missing_is_yes;
};
struct TreeWeight {
    uint32_t target;
    double weight;
};
struct Forest {
    std::span<TreeNode> nodes;
    std::span<uint32_t> roots;
    std::span<TreeWeight> weights;
    std::span<const double> members;

    const TreeNode& leaf(size_t tree, const TensorView& x, int64_t row) const {
        const TreeNode* n = &nodes[roots[tree]];
        while (n->mode != TreeNode::kLeaf) {
            n = &nodes[passes(*n, load_double(x, row + n->feature)) ? n->yes : n->no];
        }
        return *n;
    }

 private:
    bool passes(const TreeNode& n, double x) const {
        if (n.missing_is_yes && std::isnan(x)) return true;
        switch (n.mode) {
            case TreeNode::kLeq: return x <= n.split;
            case TreeNode::kLt: return x < n.split;
            case TreeNode::kGte: return x >= n.split;
            case TreeNode::kGt: return x > n.split;
            case TreeNode::kEq: return x == n.split;
            case TreeNode::kNeq: return x != n.split;
            default: break;
        }
        const auto set = members.subspan(n.set, n.set_end - n.set);
        return std::find(set.begin(), set.end(), x) != set.end();
    }
};

// Where a forest's arrays come from: scratch of a run, or blocks of its own.
using TreeMemory = Result<std::byte*> (*)(void* owner, size_t bytes);
struct TreeAllocator {
    void* owner;
    TreeMemory allocate;

    template <class T>
    Status array(size_t count, std::span<T>* out) const {
        size_t bytes;
        if (!checked_mul(count, sizeof(T), &bytes)) return error(Code::kLimit, "tree ensemble is too large");
        COFFER_TRY_ASSIGN(std::byte * memory, allocate(owner, std::max<size_t>(bytes, 1)));
        *out = {reinterpret_cast<T*>(memory), count};
        return {};
    }
};
inline TreeAllocator run_memory(RunContext& c) {
    return {&c, [](void* owner, size_t bytes) { return static_cast<RunContext*>(owner)->scratch(bytes); }};
}
// For infer and the pass that flattens trees, which may allocate.
inline TreeAllocator block_memory(PrivateArena& arena) {
    return {&arena, [](void* owner, size_t bytes) -> Result<std::byte*> {
                void* block = static_cast<PrivateArena*>(owner)->allocate(bytes, 64);
                if (!block) return error(Code::kOutOfMemory, "cannot allocate ", bytes, " bytes for a forest");
                return static_cast<std::byte*>(block);
            }};
}

// The rule of the file comment. `parents` counts how often each node is somebody's child; here it also gets a
// mark on every inner node that a root leads to, so that a loop beside the trees is found.
inline Status tree_check(const NodeContext& c, const TreeAllocator& memory, const Forest& f,
                         std::span<uint8_t> parents, int64_t width) {
    constexpr uint8_t kReached = 0x80;
    for (uint32_t root : f.roots) {
        if (parents[root] != 0) return c.fail("root ", root, " is also a child");
    }
    for (size_t i = 0; i < f.nodes.size(); ++i) {
        const TreeNode& n = f.nodes[i];
        if (n.mode == TreeNode::kLeaf) continue;
        if (parents[i] > 1) return c.fail("node ", i, " has several parents");
        if (n.feature >= static_cast<uint64_t>(width)) {
            return c.fail("node ", i, " looks at feature ", n.feature, " of ", width);
        }
    }
    std::span<uint32_t> open;  // inner nodes to visit; each enters once, as it has one parent
    COFFER_TRY(memory.array(f.nodes.size(), &open));
    size_t count = 0;
    const auto visit = [&](uint32_t i) {
        if (f.nodes[i].mode == TreeNode::kLeaf || (parents[i] & kReached) != 0) return;
        parents[i] |= kReached;
        open[count++] = i;
    };
    for (uint32_t root : f.roots) {
        if ((parents[root] & kReached) != 0) return c.fail("root ", root, " is named twice");
        visit(root);
        while (count > 0) {
            const TreeNode& n = f.nodes[open[--count]];
            visit(n.yes);
            visit(n.no);
        }
    }
    for (size_t i = 0; i < f.nodes.size(); ++i) {
        if (f.nodes[i].mode != TreeNode::kLeaf && (parents[i] & kReached) == 0) {
            return c.fail("no root leads to node ", i);
        }
    }
    return {};
}

// A list attribute that may be given as floats or, for more precision, as a tensor `<name>_as_tensor`.
struct NumberList {
    std::span<const float> floats;
    const Tensor* tensor = nullptr;

    NumberList(const NodeContext& c, const char* name, const char* as_tensor)
        : floats(c.attr_floats(name)), tensor(c.attr_tensor(as_tensor)) {}
    size_t size() const { return tensor ? static_cast<size_t>(tensor->elements()) : floats.size(); }
    double operator[](size_t i) const {
        return tensor ? load_double(tensor->view(), static_cast<int64_t>(i)) : double{floats[i]};
    }
};

inline bool tree_mode(std::string_view name, TreeNode::Mode* out) {
    constexpr std::string_view names[] = {"BRANCH_LEQ", "BRANCH_LT",  "BRANCH_GTE", "BRANCH_GT",
                                          "BRANCH_EQ",  "BRANCH_NEQ", "",           "LEAF"};
    for (size_t i = 0; i < std::size(names); ++i) {
        if (name != names[i] || name.empty()) continue;
        *out = static_cast<TreeNode::Mode>(i);
        return true;
    }
    return false;
}

// The form of TreeEnsembleClassifier ("class_") and TreeEnsembleRegressor ("target_"): nodes are named by tree
// id and node id, leaf weights refer to them. `targets` bounds the class or target ids.
struct TreeIdNames {
    const char *treeids, *nodeids, *ids, *weights, *weights_as_tensor;
};
// What infer() asks for: the lists go together. Whether they are trees is found when a forest is built of them.
inline Status check_id_lists(const NodeContext& c, const TreeIdNames& names) {
    const size_t count = c.attr_ints("nodes_treeids").size(), ids = c.attr_ints("nodes_nodeids").size();
    const size_t features = c.attr_ints("nodes_featureids").size(), modes = c.attr_strings("nodes_modes").size();
    const size_t yes = c.attr_ints("nodes_truenodeids").size(), no = c.attr_ints("nodes_falsenodeids").size();
    const size_t missing = c.attr_ints("nodes_missing_value_tracks_true").size();
    const size_t splits = NumberList(c, "nodes_values", "nodes_values_as_tensor").size();
    if (count == 0 || count >= UINT32_MAX || ids != count || features != count || yes != count || no != count ||
        modes != count || splits != count || (missing != 0 && missing != count)) {
        return c.fail("nodes_* lists have different lengths: ", count, " tree ids, ", ids, " node ids, ", features,
                      " features, ", modes, " modes, ", splits, " values, ", yes, " and ", no, " children, ", missing,
                      " missing_value_tracks_true");
    }
    const size_t w_count = c.attr_ints(names.treeids).size(), w_nodes = c.attr_ints(names.nodeids).size();
    const size_t w_ids = c.attr_ints(names.ids).size();
    const size_t weights = NumberList(c, names.weights, names.weights_as_tensor).size();
    if (w_count >= UINT32_MAX || w_nodes != w_count || w_ids != w_count || weights != w_count) {
        return c.fail("weight lists have different lengths: ", w_count, ", ", w_nodes, ", ", w_ids, ", ", weights);
    }
    return {};
}
// Nodes in the order of the lists, without their children.
inline Status read_id_nodes(const NodeContext& c, const TreeAllocator& memory, Forest* out) {
    const auto ids = c.attr_ints("nodes_nodeids");
    const auto features = c.attr_ints("nodes_featureids"), missing = c.attr_ints("nodes_missing_value_tracks_true");
    const auto modes = c.attr_strings("nodes_modes");
    const NumberList splits(c, "nodes_values", "nodes_values_as_tensor");
    const size_t count = ids.size();
    COFFER_TRY(memory.array(count, &out->nodes));
    for (size_t i = 0; i < count; ++i) {
        TreeNode& n = out->nodes[i];
        n = {splits[i], 0, 0, 0, 0, 0, TreeNode::kLeaf, !missing.empty() && missing[i] != 0};
        if (!tree_mode(modes[i], &n.mode)) return c.fail("node ", ids[i], " has mode '", modes[i], "'");
        if (n.mode == TreeNode::kLeaf) continue;
        if (!checked_cast(features[i], &n.feature)) return c.fail("node ", ids[i], " looks at feature ", features[i]);
    }
    return {};
}
inline Status build_id_forest(const NodeContext& c, const TreeAllocator& memory, const TreeIdNames& names,
                              int64_t targets, int64_t width, Forest* out) {
    COFFER_TRY(check_id_lists(c, names));
    COFFER_TRY(read_id_nodes(c, memory, out));
    const auto trees = c.attr_ints("nodes_treeids"), ids = c.attr_ints("nodes_nodeids");
    const auto yes = c.attr_ints("nodes_truenodeids"), no = c.attr_ints("nodes_falsenodeids");
    const size_t count = trees.size();
    // Nodes sorted by (tree, node): exporters nearly always write that order already, and number the nodes of a
    // tree one after the other.
    const auto less = [&](uint32_t a, uint32_t b) {
        return trees[a] != trees[b] ? trees[a] < trees[b] : ids[a] < ids[b];
    };
    bool sorted = true;
    for (uint32_t i = 1; i < count && sorted; ++i) sorted = !less(i, i - 1);
    std::span<uint32_t> order;
    if (!sorted) {
        COFFER_TRY(memory.array(count, &order));
        std::iota(order.begin(), order.end(), 0u);
        std::sort(order.begin(), order.end(), less);
    }
    const auto at = [&](size_t i) { return sorted ? static_cast<uint32_t>(i) : order[i]; };
    for (size_t i = 1; i < count; ++i) {
        if (!less(at(i - 1), at(i))) return c.fail("tree ", trees[at(i)], " has node ", ids[at(i)], " twice");
    }
    size_t first = 0;  // of the tree that was asked for last
    const auto find = [&](int64_t tree, int64_t node) {
        const auto search = [&](int64_t t, int64_t n) {
            size_t low = 0, high = count;
            while (low < high) {
                const size_t middle = (low + high) / 2;
                const uint32_t i = at(middle);
                const bool below = trees[i] != t ? trees[i] < t : ids[i] < n;
                (below ? low : high) = below ? middle + 1 : middle;
            }
            return low;
        };
        const auto is = [&](size_t i) { return i < count && trees[at(i)] == tree && ids[at(i)] == node; };
        if (first == count || trees[at(first)] != tree) first = search(tree, std::numeric_limits<int64_t>::min());
        if (first < count) {
            const uint64_t guess = first + (static_cast<uint64_t>(node) - static_cast<uint64_t>(ids[at(first)]));
            if (is(guess)) return at(guess);
        }
        const size_t found = search(tree, node);
        return is(found) ? at(found) : UINT32_MAX;
    };
    std::span<uint8_t> parents;
    COFFER_TRY(memory.array(count, &parents));
    std::fill(parents.begin(), parents.end(), uint8_t{0});
    size_t roots = 0;
    for (size_t i = 0; i < count; ++i) {
        TreeNode& n = out->nodes[i];
        if (n.mode == TreeNode::kLeaf) continue;
        n.yes = find(trees[i], yes[i]);
        n.no = find(trees[i], no[i]);
        if (n.yes == UINT32_MAX || n.no == UINT32_MAX) {
            return c.fail("tree ", trees[i], ", node ", ids[i], ": child ", n.yes == UINT32_MAX ? yes[i] : no[i],
                          " does not exist");
        }
        for (uint32_t child : {n.yes, n.no}) {
            if (parents[child] < 2) ++parents[child];
        }
    }
    for (size_t i = 0; i < count; ++i) roots += parents[i] == 0;
    COFFER_TRY(memory.array(roots, &out->roots));
    roots = 0;
    // A leaf with several parents would do no harm, but no tree has one.
    for (size_t i = 0, seen = 0; i < count; ++i) {
        const int64_t tree = trees[at(i)];
        if (i > 0 && tree != trees[at(i - 1)]) seen = 0;
        if (parents[at(i)] == 0) {
            out->roots[roots++] = at(i);
            ++seen;
        }
        if ((i + 1 == count || trees[at(i + 1)] != tree) && seen != 1) {
            return c.fail("tree ", tree, " has ", seen, " roots");
        }
    }
    COFFER_TRY(tree_check(c, memory, *out, parents, width));

    const auto w_trees = c.attr_ints(names.treeids), w_nodes = c.attr_ints(names.nodeids),
               w_ids = c.attr_ints(names.ids);
    const NumberList weights(c, names.weights, names.weights_as_tensor);
    const size_t w_count = w_trees.size();
    // Counting sort by leaf: sizes, then begins, then the weights in the order they were listed. The weights of a
    // leaf mostly stand together.
    std::span<uint32_t> place;
    COFFER_TRY(memory.array(w_count, &out->weights));
    COFFER_TRY(memory.array(w_count, &place));
    for (size_t i = 0; i < w_count; ++i) {
        const bool again = i > 0 && w_nodes[i] == w_nodes[i - 1] && w_trees[i] == w_trees[i - 1];
        place[i] = again ? place[i - 1] : find(w_trees[i], w_nodes[i]);
        if (place[i] == UINT32_MAX)
            return c.fail("weight of tree ", w_trees[i], ", node ", w_nodes[i], ": no such node");
        if (w_ids[i] < 0 || w_ids[i] >= targets)
            return c.fail("weight of class or target ", w_ids[i], " of ", targets);
        TreeNode& leaf = out->nodes[place[i]];
        if (leaf.mode == TreeNode::kLeaf) ++leaf.no;
    }
    uint32_t begin = 0;
    for (TreeNode& n : out->nodes) {
        if (n.mode != TreeNode::kLeaf) continue;
        const uint32_t size = n.no;
        n.yes = n.no = begin;
        begin += size;
    }
    out->weights = out->weights.first(begin);  // those of inner nodes say nothing
    for (size_t i = 0; i < w_count; ++i) {
        TreeNode& leaf = out->nodes[place[i]];
        if (leaf.mode == TreeNode::kLeaf) out->weights[leaf.no++] = {static_cast<uint32_t>(w_ids[i]), weights[i]};
    }
    return {};
}

enum class TreeAggregate : uint8_t { kAverage, kSum, kMin, kMax };  // numbered as in TreeEnsemble

// Adds up what all trees say about one row. scores has `targets` numbers; seen[i] tells whether any leaf
// spoke of target i.
inline void tree_scores(const Forest& f, const TensorView& x, int64_t row, TreeAggregate how,
                        std::span<double> scores, std::span<uint8_t> seen) {
    std::fill(scores.begin(), scores.end(), 0.0);
    std::fill(seen.begin(), seen.end(), uint8_t{0});
    for (size_t tree = 0; tree < f.roots.size(); ++tree) {
        const TreeNode& leaf = f.leaf(tree, x, row);
        for (const TreeWeight& w : f.weights.subspan(leaf.yes, leaf.no - leaf.yes)) {
            double& score = scores[w.target];
            if (how == TreeAggregate::kMin && seen[w.target])
                score = std::min(score, w.weight);
            else if (how == TreeAggregate::kMax && seen[w.target])
                score = std::max(score, w.weight);
            else
                score += w.weight;
            seen[w.target] = 1;
        }
    }
    if (how != TreeAggregate::kAverage) return;
    for (double& score : scores) score /= static_cast<double>(f.roots.size());
}

}  // namespace coffer::ops::ml
