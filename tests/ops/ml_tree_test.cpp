// Tree ensembles: random forests through the fast variant and the reference, and hostile ones.
#include "../kernels/plan_harness.hpp"

using namespace coffer;
using namespace coffer::testing;

namespace {

using Ints = PrivateVector<int64_t>;
using Floats = PrivateVector<float>;
using Strings = PrivateVector<PrivateString>;

// A random forest in the form with node ids. Split values and X are small integers, so that ties and equality
// happen; `modes` are drawn from for inner nodes.
struct RandomForest {
    std::mt19937 random;
    Strings modes;
    Ints trees, nodes, features, yes, no, missing, w_trees, w_nodes, w_ids;
    Strings node_modes;
    Floats splits, weights;

    RandomForest(uint32_t seed, int count, int depth, int64_t width, int64_t targets, Strings from, bool one_target,
                 bool positive)
        : random(seed), modes(std::move(from)) {
        for (int tree = 0; tree < count; ++tree) {
            int64_t next = 1;
            grow(tree, 0, depth, width, targets, one_target, positive, &next);
        }
    }
    int64_t below(int64_t n) { return static_cast<int64_t>(random() % static_cast<uint64_t>(n)); }
    void grow(int64_t tree, int64_t id, int depth, int64_t width, int64_t targets, bool one, bool positive,
              int64_t* next) {
        const bool leaf = depth == 0 || below(5) == 0;
        const int64_t first = *next;
        if (!leaf) *next += 2;
        trees.push_back(tree);
        nodes.push_back(id);
        features.push_back(leaf ? 0 : below(width));
        splits.push_back(static_cast<float>(below(7) - 3));
        node_modes.push_back(leaf ? "LEAF" : modes[static_cast<size_t>(below(static_cast<int64_t>(modes.size())))]);
        missing.push_back(below(2));
        yes.push_back(leaf ? 0 : first);
        no.push_back(leaf ? 0 : first + 1);
        if (!leaf) {
            grow(tree, first, depth - 1, width, targets, one, positive, next);
            grow(tree, first + 1, depth - 1, width, targets, one, positive, next);
            return;
        }
        for (int64_t k = 0; k < targets; ++k) {
            if (one && k != 1) continue;
            w_trees.push_back(tree);
            w_nodes.push_back(id);
            w_ids.push_back(k);
            weights.push_back(static_cast<float>(below(1000)) / 1000 - (positive ? 0.0f : 0.5f));
        }
    }
    void attrs(NodeCase* c, const std::string& prefix) const {
        c->attrs.insert(c->attrs.end(), {{"nodes_treeids", trees},
                                         {"nodes_nodeids", nodes},
                                         {"nodes_featureids", features},
                                         {"nodes_values", splits},
                                         {"nodes_modes", node_modes},
                                         {"nodes_missing_value_tracks_true", missing},
                                         {"nodes_truenodeids", yes},
                                         {"nodes_falsenodeids", no},
                                         {prefix + "_treeids", w_trees},
                                         {prefix + "_nodeids", w_nodes},
                                         {prefix + "_ids", w_ids},
                                         {prefix + "_weights", weights}});
    }
};

Tensor small_integers(const Shape& shape, uint32_t seed) {
    Tensor x = Tensor::create(DType::kFloat, shape).value();
    std::mt19937 random(seed);
    for (float& v : x.span<float>()) {
        const uint32_t r = random() % 10;
        v = r == 9 ? NAN : static_cast<float>(r) - 4;
    }
    return x;
}

const Strings kOrdered{"BRANCH_LEQ", "BRANCH_LT", "BRANCH_GTE", "BRANCH_GT"};
const Strings kAll{"BRANCH_LEQ", "BRANCH_LT", "BRANCH_GTE", "BRANCH_GT", "BRANCH_EQ", "BRANCH_NEQ"};

NodeCase classifier(const RandomForest& forest, Tensor x, int64_t classes, const char* transform = "NONE") {
    NodeCase c{.op = "ai.onnx.ml::TreeEnsembleClassifier", .inputs = {std::move(x)}, .outputs = 2};
    Ints labels;
    for (int64_t i = 0; i < classes; ++i) labels.push_back(100 + i);
    c.attrs = {{"classlabels_int64s", labels}, {"post_transform", std::string(transform)}};
    forest.attrs(&c, "class");
    return c;
}

// Two nodes deep: node 0 splits to leaves 1 and 2.
NodeCase stump() {
    NodeCase c{.op = "ai.onnx.ml::TreeEnsembleRegressor", .inputs = {small_integers({1, 2}, 1)}};
    c.attrs = {{"nodes_treeids", Ints{0, 0, 0}},
               {"nodes_nodeids", Ints{0, 1, 2}},
               {"nodes_featureids", Ints{1, 0, 0}},
               {"nodes_values", Floats{0, 0, 0}},
               {"nodes_modes", Strings{"BRANCH_LEQ", "LEAF", "LEAF"}},
               {"nodes_truenodeids", Ints{1, 0, 0}},
               {"nodes_falsenodeids", Ints{2, 0, 0}},
               {"target_treeids", Ints{0, 0}},
               {"target_nodeids", Ints{1, 2}},
               {"target_ids", Ints{0, 0}},
               {"target_weights", Floats{10, 20}}};
    return c;
}

std::string refused(const char* attr, graph::AttrValue value) {
    NodeCase c = stump();
    for (graph::Attr& a : c.attrs) {
        if (a.name == attr) a.value = std::move(value);
    }
    auto result = NodeRunner(c).reference();
    return result.ok() ? "" : result.error().message();
}

}  // namespace

TEST_CASE("forests: the fast variant equals the reference", "[ml][tree]") {
    for (uint32_t seed = 1; seed <= 12; ++seed) {
        for (const int64_t rows : {1, 2, 8, 19}) {
            const bool one = seed % 3 == 0;
            const int64_t classes = one ? 2 : 2 + seed % 4;
            const RandomForest forest(seed, 1 + static_cast<int>(seed) * 2, 6, 5, classes, kOrdered, one,
                                      seed % 2 == 0);
            for (const char* transform : {"NONE", "SOFTMAX", "LOGISTIC"}) {
                INFO("seed " << seed << " rows " << rows << ' ' << transform);
                CHECK(check_variants(classifier(forest, small_integers({rows, 5}, seed), classes, transform), 0,
                                     1e-7) > 0);
            }
            NodeCase regressor{.op = "ai.onnx.ml::TreeEnsembleRegressor",
                               .inputs = {small_integers({rows, 5}, seed)}};
            regressor.attrs = {{"n_targets", classes},
                               {"base_values", Floats(static_cast<size_t>(classes), 0.25f)},
                               {"aggregate_function", std::string(seed % 2 ? "SUM" : "AVERAGE")}};
            forest.attrs(&regressor, "target");
            CHECK(check_variants(regressor, 0, 0) > 0);
        }
    }
}

TEST_CASE("trees that are named twice and leaves with several parents", "[ml][tree]") {
    const auto numbers = [](DType type, std::initializer_list<double> values) {
        Tensor t = Tensor::create(type, {static_cast<int64_t>(values.size())}).value();
        int64_t i = 0;
        for (double v : values) store_double(t.view(), i++, v);
        return t;
    };
    // 0: feature 0 <= 0 ? leaf 0 : node 1; 1: feature 1 <= 1 ? leaf 1 : leaf 0
    NodeCase c{.op = "ai.onnx.ml::TreeEnsemble", .inputs = {small_integers({19, 2}, 3)}};
    c.attrs = {{"n_targets", int64_t{2}},
               {"tree_roots", Ints{0, 1, 0}},
               {"nodes_modes", numbers(DType::kUint8, {0, 0})},
               {"nodes_splits", numbers(DType::kFloat, {0, 1})},
               {"nodes_featureids", Ints{0, 1}},
               {"nodes_truenodeids", Ints{0, 1}},
               {"nodes_trueleafs", Ints{1, 1}},
               {"nodes_falsenodeids", Ints{1, 0}},
               {"nodes_falseleafs", Ints{0, 1}},
               {"leaf_targetids", Ints{0, 1}},
               {"leaf_weights", numbers(DType::kFloat, {2, 3})}};
    // Node 1 is a root and a child.
    REQUIRE_FALSE(NodeRunner(c).reference().ok());
    c.attrs[1].value = Ints{0, 0};
    CHECK(check_variants(c, 0, 0) > 0);
}

TEST_CASE("forests the kernel cannot run are left to the reference", "[ml][tree]") {
    const RandomForest forest(3, 5, 6, 5, 3, kAll, false, false);
    CHECK(check_variants(classifier(forest, small_integers({4, 5}, 1), 3), 0, 0) == 0);
    const RandomForest ordered(3, 5, 6, 5, 3, kOrdered, false, false);
    CHECK(check_variants(classifier(ordered, small_integers({4, 5}, 1), 3, "PROBIT"), 0, 0) == 0);
}

TEST_CASE("node order does not matter", "[ml][tree]") {
    NodeCase c = stump();
    c.attrs[1].value = Ints{2, 1, 0};
    c.attrs[2].value = Ints{0, 0, 1};
    c.attrs[4].value = Strings{"LEAF", "LEAF", "BRANCH_LEQ"};
    c.attrs[5].value = Ints{0, 0, 1};
    c.attrs[6].value = Ints{0, 0, 2};
    auto shuffled = NodeRunner(c).reference(), plain = NodeRunner(stump()).reference();
    REQUIRE(shuffled.ok());
    REQUIRE(plain.ok());
    CHECK(worst_error((*shuffled)[0], (*plain)[0], 1e-9, 0) <= 1);
}

TEST_CASE("hostile trees are refused", "[ml][tree]") {
    CHECK(refused("nodes_truenodeids", Ints{7, 0, 0}).find("child 7 does not exist") != std::string::npos);
    CHECK(refused("nodes_truenodeids", Ints{0, 0, 0}).find("no root leads to node 0") !=
          std::string::npos);  // its own child
    CHECK(refused("nodes_nodeids", Ints{0, 1, 1}).find("twice") != std::string::npos);
    CHECK(refused("nodes_featureids", Ints{2, 0, 0}).find("feature 2 of 2") != std::string::npos);
    CHECK(refused("nodes_featureids", Ints{-1, 0, 0}).find("feature -1") != std::string::npos);
    CHECK(refused("nodes_modes", Strings{"BRANCH", "LEAF", "LEAF"}).find("'BRANCH'") != std::string::npos);
    CHECK(refused("nodes_modes", Strings{"BRANCH_LEQ", "LEAF"}).find("different lengths") != std::string::npos);
    CHECK(refused("nodes_treeids", Ints{0, 0, 1}).find("does not exist") != std::string::npos);
    CHECK(refused("target_ids", Ints{0, 1}).find("target 1 of 1") != std::string::npos);
    CHECK(refused("target_nodeids", Ints{1, 5}).find("no such node") != std::string::npos);
    // A loop beside the root: 1 -> 2 -> 1.
    NodeCase loop = stump();
    loop.attrs[4].value = Strings{"LEAF", "BRANCH_LEQ", "BRANCH_LEQ"};
    loop.attrs[5].value = Ints{0, 2, 1};
    loop.attrs[6].value = Ints{0, 2, 1};
    auto result = NodeRunner(loop).reference();
    REQUIRE_FALSE(result.ok());
    CHECK(result.error().message().find("several parents") != std::string::npos);
}
