// ONNX's tree ensembles become ai.coffer::Forest where its kernel gives the same: float32 rows, ordered splits
// (<=, <, >=, >) and weights that are float32, sums or averages, integer labels.
#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <optional>

#include "coffer/kernels/tree.hpp"
#include "coffer/ops/ml/TreeEnsemble.hpp"
#include "coffer/ops/ml/TreeEnsembleClassifier.hpp"
#include "coffer/ops/ml/TreeEnsembleRegressor.hpp"
#include "offline/passes/list.hpp"
#include "offline/passes/quantized.hpp"
#include "offline/shapes.hpp"

namespace coffer::offline::passes {
namespace {

using namespace ops::ml;

constexpr std::string_view kForest = "ai.coffer::Forest", kOnnx = "ai.onnx.ml::TreeEnsemble";

// A forest, and all else that the node says.
struct Trees {
    PrivateArena memory;
    ops::ml::Forest forest;
    int64_t targets = 1;
    TreeAggregate how = TreeAggregate::kSum;
    PostTransform transform = PostTransform::kNone;
    PrivateVector<double> base;
    const char* two_classes = "";
    std::span<const int64_t> labels;
};

PrivateVector<double> base_of(const ops::NodeContext& c) {
    const NumberList values(c, "base_values", "base_values_as_tensor");
    PrivateVector<double> base;
    for (size_t i = 0; i < values.size(); ++i) base.push_back(values[i]);
    return base;
}

// infer() found the node sound. How wide X is, Forest asks when that is known.
bool read(const ops::NodeContext& c, Trees& t) {
    constexpr int64_t kAnyWidth = std::numeric_limits<int64_t>::max();
    const TreeAllocator memory = block_memory(t.memory);
    if (c.node().op == kOnnx) {
        t.targets = c.attr_i("n_targets");
        t.how = static_cast<TreeAggregate>(c.attr_i("aggregate_function"));
        t.transform = static_cast<PostTransform>(c.attr_i("post_transform"));
        return TreeEnsemble::build(c, memory, kAnyWidth, &t.forest).ok();
    }
    t.transform = post_transform_of(c);
    t.base = base_of(c);
    if (c.facts().max_outputs == 1) {
        t.targets = c.attr_i("n_targets");
        return TreeEnsembleRegressor::aggregate(c, &t.how) &&
               TreeEnsembleRegressor::build(c, memory, kAnyWidth, &t.forest).ok();
    }
    Labels labels;
    if (!labels_of(c, "classlabels_int64s", "classlabels_strings", &labels).ok() ||
        (c.has_output(0) && labels.dtype() == DType::kString) ||
        !TreeEnsembleClassifier::build(c, memory, kAnyWidth, &t.forest).ok()) {
        return false;
    }
    t.targets = static_cast<int64_t>(labels.size());
    t.labels = labels.ints;
    const TreeVote vote = TreeEnsembleClassifier::vote_of(t.forest, labels.size());
    if (vote.binary) {
        t.targets = 1;
        t.two_classes = vote.second == SecondColumn::kComplement ? "PROBABILITY" : "MARGIN";
        for (TreeWeight& w : t.forest.weights) w.target = 0;
        if (!t.base.empty()) t.base = {t.base.back()};
    }
    if (!t.base.empty()) t.base.resize(static_cast<size_t>(t.targets));
    return true;
}

// A branch of the kernel: NaN and x <= split go to one side. `x < s` is `x <= the float before s`, and `x >= s` is
// the opposite, with NaN still going to its own side.
struct Branch {
    kernels::TreeNode node;
    uint32_t first, second;
};
std::optional<Branch> branch_of(const TreeNode& n) {
    constexpr float kLowest = -std::numeric_limits<float>::infinity();
    if (n.mode > TreeNode::kGt || n.feature >= kernels::kTreeNanFirst - 1) return std::nullopt;
    auto split = static_cast<float>(n.split);
    if (double{split} != n.split) return std::nullopt;
    const bool swapped = n.mode == TreeNode::kGte || n.mode == TreeNode::kGt;
    if (n.mode == TreeNode::kLt || n.mode == TreeNode::kGte) {
        if (split == kLowest) return std::nullopt;
        split = std::nextafter(split, kLowest);
    }
    const uint32_t nan_first = n.missing_is_yes != swapped ? kernels::kTreeNanFirst : 0;
    return Branch{{split, (n.feature + 1) | nan_first, 0}, swapped ? n.no : n.yes, swapped ? n.yes : n.no};
}

// The constants of a Forest.
struct Flat {
    PrivateVector<kernels::TreeNode> nodes;
    PrivateVector<uint32_t> roots, targets, offsets{0};
    PrivateVector<float> weights;

    uint32_t add_leaf(std::span<const TreeWeight> of) {
        for (const TreeWeight& w : of) {
            targets.push_back(w.target);
            weights.push_back(static_cast<float>(w.weight));
        }
        offsets.push_back(static_cast<uint32_t>(weights.size()));
        return static_cast<uint32_t>(offsets.size() - 2);
    }
    // Every leaf gives a weight to every target, in order.
    bool dense(int64_t count) const {
        const auto each = static_cast<size_t>(count);
        for (size_t i = 0; i < offsets.size(); ++i) {
            if (offsets[i] != i * each) return false;
        }
        for (size_t i = 0; i < targets.size(); ++i) {
            if (targets[i] != i % each) return false;
        }
        return true;
    }
};

// nullopt for what the kernel cannot do. A leaf with several parents is kept once, and must have one weight then.
std::optional<Flat> flatten(const ops::ml::Forest& forest) {
    for (const TreeWeight& w : forest.weights) {
        if (double{static_cast<float>(w.weight)} != w.weight) return std::nullopt;
    }
    Flat flat;
    PrivateVector<uint32_t> leaves(forest.nodes.size());  // their numbers plus one
    PrivateVector<std::pair<uint32_t, uint32_t>> open;    // place in `nodes`, node of the forest
    for (const uint32_t root : forest.roots) {
        const auto place_of_root = static_cast<uint32_t>(flat.nodes.size());
        flat.roots.push_back(place_of_root);
        flat.nodes.push_back({});
        open.push_back({place_of_root, root});
        while (!open.empty()) {  // depth first
            const auto [place, from] = open.back();
            open.pop_back();
            const TreeNode& n = forest.nodes[from];
            if (n.mode == TreeNode::kLeaf) {
                uint32_t& number = leaves[from];
                if (number != 0 && n.no - n.yes > 1) return std::nullopt;
                if (number == 0) number = flat.add_leaf(forest.weights.subspan(n.yes, n.no - n.yes)) + 1;
                flat.nodes[place] = {0, kernels::kTreeLeaf, number - 1};
                continue;
            }
            std::optional<Branch> branch = branch_of(n);
            if (!branch) return std::nullopt;
            branch->node.child = static_cast<uint32_t>(flat.nodes.size());
            flat.nodes[place] = branch->node;
            flat.nodes.resize(flat.nodes.size() + 2);
            open.push_back({branch->node.child + 1, branch->second});
            open.push_back({branch->node.child, branch->first});
        }
    }
    return flat;
}

Tensor nodes_of(const Flat& flat) {
    PrivateVector<uint32_t> words;
    for (const kernels::TreeNode& n : flat.nodes) {
        words.insert(words.end(), {std::bit_cast<uint32_t>(n.split), n.feature, n.child});
    }
    return Tensor::of<uint32_t>(words).reshaped(Shape{static_cast<int64_t>(flat.nodes.size()), 3});
}

// infer() is where an op says whether a node is sound; the types of X are enough for these.
bool sound(const ops::Op& op, const graph::Node& node) {
    const ops::Type x{ValueKind::kTensor, DType::kFloat, Shape{1, std::numeric_limits<int32_t>::max()}, true};
    const TensorView* const known = nullptr;
    std::vector<ops::Type> out(node.outputs.size());
    return ops::check_node(op, node).ok() && runtime::infer_node(op, node, {&x, 1}, {&known, 1}, nullptr, out).ok();
}

bool become_forest(Editor& e, graph::Node& node) {
    const ops::Op* op = ops::find(node.op);
    if (!op || !sound(*op, node)) return false;
    const ops::NodeContext c(*op->facts, node);
    Trees t;
    if (!read(c, t) || t.how > TreeAggregate::kSum || t.transform > PostTransform::kLogistic) return false;
    const std::optional<Flat> flat = flatten(t.forest);
    if (!flat) return false;

    const bool dense = flat->dense(t.targets), classifier = op->facts->max_outputs == 2;
    const std::string name = node.name.empty() ? std::string("forest") : node.name;
    std::vector<ValueId> inputs{node.inputs[0]};
    const auto add = [&](const char* what, Tensor tensor) {
        inputs.push_back(e.add_constant(name + what, std::move(tensor)));
    };
    const auto add_unless = [&](bool absent, const char* what, auto values) {
        if (absent) return inputs.push_back(graph::kAbsent);
        add(what, Tensor::of(values));
    };
    add(".nodes", nodes_of(*flat));
    add(".roots", Tensor::of<uint32_t>(flat->roots));
    Tensor weights = Tensor::of<float>(flat->weights);
    if (dense) weights = weights.reshaped(Shape{weights.elements() / t.targets, t.targets});
    add(".leaf_weights", std::move(weights));
    add_unless(dense, ".leaf_targets", std::span<const uint32_t>(flat->targets));
    add_unless(dense, ".leaf_offsets", std::span<const uint32_t>(flat->offsets));
    add_unless(t.base.empty(), ".base", std::span<const double>(t.base));
    add_unless(!classifier || !c.has_output(0), ".labels", t.labels);
    while (inputs.back() == graph::kAbsent) inputs.pop_back();

    constexpr const char* kTransforms[] = {"NONE", "SOFTMAX", "LOGISTIC"};
    const char* how = t.how == TreeAggregate::kAverage ? "AVERAGE" : "SUM";
    std::vector<graph::Attr> attrs{{"aggregate_function", std::string(how)},
                                   {"n_targets", t.targets},
                                   {"post_transform", std::string(kTransforms[static_cast<size_t>(t.transform)])},
                                   {"two_classes", std::string(t.two_classes)}};
    if (classifier) {
        node.outputs.resize(2, graph::kAbsent);
        std::swap(node.outputs[0], node.outputs[1]);
        if (node.outputs[1] == graph::kAbsent) node.outputs.pop_back();
    }
    node.op = kForest;
    node.inputs = std::move(inputs);
    node.attrs = std::move(attrs);
    return true;
}

// Which values are float32: by their type, and behind nodes whose types wait for data (a pipeline that begins with
// text) by what writes them.
std::vector<bool> float_values(const Editor& e, const graph::Graph& g, const SampledTypes* types) {
    std::vector<bool> floats(g.values.size());
    const auto type = [&](ValueId id) {
        const DType sampled = types ? types->dtype(id) : DType::kUndefined;
        return sampled != DType::kUndefined ? sampled : g.values[id].type.dtype;
    };
    for (ValueId id = 0; id < floats.size(); ++id) floats[id] = type(id) == DType::kFloat;
    const auto is_float = [&](ValueId id) { return id != graph::kAbsent && floats[id]; };
    constexpr std::string_view kAlways[] = {"ai.onnx.ml::OneHotEncoder", "ai.onnx.ml::Scaler",
                                            "ai.onnx.ml::Normalizer", "ai.onnx.ml::FeatureVectorizer"};
    for (const graph::Node& node : g.nodes) {
        const bool same = node.op == "Concat" || moves_elements(e, node);
        const bool gives = std::ranges::find(kAlways, node.op) != std::end(kAlways) ||
                           (node.op == "Cast" && int_attr(node, "to", 0) == static_cast<int64_t>(DType::kFloat)) ||
                           (same && std::ranges::any_of(node.inputs, is_float));
        for (const ValueId id : node.outputs) {
            if (gives && id != graph::kAbsent && type(id) == DType::kUndefined) floats[id] = true;
        }
    }
    return floats;
}

}  // namespace

Result<size_t> flatten_trees(graph::Model& model) {
    const auto candidate = [](const graph::Node& node) { return node.op.starts_with(kOnnx); };
    std::optional<SampledTypes> types;  // of the main graph
    size_t count = 0;
    for (size_t i = 0; i < model.graphs.size(); ++i) {
        if (std::ranges::none_of(model.graphs[i].nodes, candidate)) continue;
        if (i == 0) types.emplace(model);
        Editor e(model, i);
        const std::vector<bool> floats = float_values(e, e.graph(), i == 0 ? &*types : nullptr);
        for (graph::Node& node : e.nodes()) {
            if (candidate(node) && !node.inputs.empty() && node.inputs[0] != graph::kAbsent &&
                floats[node.inputs[0]]) {
                count += become_forest(e, node);
            }
        }
    }
    return count;
}

}  // namespace coffer::offline::passes
