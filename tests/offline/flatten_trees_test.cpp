// Tree ensembles before and after the pass that flattens them: equal to the last bit, on the reference of each and
// on the kernel.
#include "../runtime/graphs.hpp"
#include "offline/passes/list.hpp"
#include "offline/passes/passes.hpp"
#include "ops/run_op.hpp"

using namespace coffer;
using namespace coffer::testing;

namespace {

// A random forest in the form with node ids. Split values and X are small integers, so that ties and equality
// happen; `modes` are drawn from for inner nodes.
struct RandomForest {
    std::mt19937 random;
    Strings modes;
    bool gaps;  // leaves leave out targets
    Ints trees, nodes, features, yes, no, missing, w_trees, w_nodes, w_ids;
    Strings node_modes;
    Floats splits, weights;

    RandomForest(uint32_t seed, int count, int depth, int64_t width, int64_t targets, Strings from, bool one_target,
                 bool positive, bool with_gaps = false)
        : random(seed), modes(std::move(from)), gaps(with_gaps) {
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
            if ((one && k != 1) || (gaps && below(3) == 0)) continue;
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

NodeCase regressor(const RandomForest& forest, Tensor x, int64_t targets, const char* how, const char* transform) {
    NodeCase c{.op = "ai.onnx.ml::TreeEnsembleRegressor", .inputs = {std::move(x)}};
    c.attrs = {{"n_targets", targets},
               {"base_values", Floats(static_cast<size_t>(targets), 0.25f)},
               {"aggregate_function", std::string(how)},
               {"post_transform", std::string(transform)}};
    forest.attrs(&c, "target");
    return c;
}

graph::Model model_of(const NodeCase& c) {
    test::Builder b;
    graph::Type type;
    type.dtype = c.inputs[0].dtype();
    type.dims = {{-1, "rows"}, {c.inputs[0].shape()[1], ""}};
    const graph::ValueId x = b.input("x", type);
    graph::Node node = c.node();
    node.inputs = {x};
    for (graph::ValueId& id : node.outputs) {
        id = b.model.graphs[0].add_value("y" + std::to_string(&id - node.outputs.data()));
        b.model.graphs[0].outputs.push_back(id);
    }
    b.model.graphs[0].nodes.push_back(std::move(node));
    return b.model;
}

// The node that the pass makes of it, with its constants; nullopt when it leaves it alone.
std::optional<NodeCase> flattened(const NodeCase& c) {
    graph::Model m = model_of(c);
    const auto made = offline::passes::flatten_trees(m);
    REQUIRE(made.ok());
    REQUIRE(graph::verify(m).ok());
    if (*made == 0) return std::nullopt;
    const graph::Node& node = m.graphs[0].nodes.at(0);
    NodeCase flat{.op = node.op, .attrs = node.attrs, .inputs = {c.inputs[0]}, .constant = {false}};
    flat.outputs = node.outputs.size();
    for (size_t i = 1; i < node.inputs.size(); ++i) {
        const graph::ValueId id = node.inputs[i];
        flat.inputs.push_back(id == graph::kAbsent ? Tensor() : *m.constant(m.graphs[0], id));
        flat.constant.push_back(id != graph::kAbsent);
    }
    return flat;
}

bool equal(const Tensor& a, const Tensor& b) {
    return a.dtype() == b.dtype() && a.shape() == b.shape() && worst_error(a, b, 0, 0) == 0;
}

void check_flattened(const NodeCase& c) {
    const auto wanted = NodeRunner(c).reference();
    REQUIRE(wanted.ok());
    const std::optional<NodeCase> flat = flattened(c);
    REQUIRE(flat);
    CHECK(flat->op == "ai.coffer::Forest");
    const auto got = NodeRunner(*flat).reference();
    if (!got.ok()) FAIL(got.error().message());
    REQUIRE(got->size() == wanted->size());
    for (size_t i = 0; i < got->size(); ++i) CHECK(equal((*got)[i], (*wanted)[got->size() - 1 - i]));
    // Only the exponential function of an instruction set may differ.
    CHECK(check_variants(*flat, 0, 1e-7) > 0);
}

// What a model gives for inputs in order.
std::vector<Tensor> run(graph::Model m, const std::vector<Tensor>& inputs) {
    const size_t outputs = m.graphs[0].outputs.size();
    const auto model = runtime::Model::create(std::move(m));
    if (!model.ok()) FAIL(model.error().message());
    const auto runner = runtime::Runner::create(*model, {}).value();
    for (size_t i = 0; i < inputs.size(); ++i) REQUIRE(runner->bind_input(i, Value(inputs[i])).ok());
    const Status ran = runner->run();
    if (!ran.ok()) FAIL(ran.error().message());
    std::vector<Tensor> results;
    for (size_t i = 0; i < outputs; ++i) results.push_back(runner->output(i).tensor);
    return results;
}

}  // namespace

TEST_CASE("flattened trees give the same", "[ml][tree]") {
    for (uint32_t seed = 1; seed <= 12; ++seed) {
        for (const int64_t rows : {1, 2, 8, 19}) {
            const bool one = seed % 3 == 0, gaps = seed % 4 < 2;
            const int64_t classes = one ? 2 : 2 + seed % 4;
            const RandomForest forest(seed, 1 + static_cast<int>(seed) * 2, 6, 5, classes, kOrdered, one,
                                      seed % 2 == 0, gaps);
            for (const char* transform : {"NONE", "SOFTMAX", "LOGISTIC"}) {
                INFO("seed " << seed << " rows " << rows << ' ' << transform);
                const Tensor x = small_integers({rows, 5}, seed);
                NodeCase c = classifier(forest, x, classes, transform);
                check_flattened(c);
                c.attrs.push_back({"base_values", Floats(static_cast<size_t>(classes), -0.125f)});
                check_flattened(c);
                c.attrs.back().value = Floats{0.375f};
                check_flattened(c);
                check_flattened(regressor(forest, x, classes, seed % 2 ? "SUM" : "AVERAGE", transform));
            }
        }
    }
}

TEST_CASE("a leaf with a weight for each target needs no lists of them", "[ml][tree]") {
    const auto inputs = [](bool one, bool gaps) {
        const RandomForest forest(1, 3, 4, 5, 2, kOrdered, one, true, gaps);
        return flattened(classifier(forest, small_integers({1, 5}, 1), 2))->inputs;
    };
    CHECK(inputs(false, false)[3].shape()[1] == 2);
    CHECK_FALSE(inputs(false, false)[4].valid());
    CHECK(inputs(true, false)[3].shape()[1] == 1);  // one score for both classes
    CHECK(inputs(false, true)[4].valid());
    CHECK(inputs(false, true)[5].valid());
}

TEST_CASE("leaves with several parents are kept once", "[ml][tree]") {
    // 0: feature 0 <= 0 ? leaf 0 : node 1; 1: feature 1 <= 1 ? leaf 1 : leaf 0
    NodeCase c{.op = "ai.onnx.ml::TreeEnsemble", .inputs = {small_integers({19, 2}, 3)}};
    c.attrs = {{"n_targets", int64_t{2}},
               {"tree_roots", Ints{0, 1, 0}},
               {"nodes_modes", values<uint8_t>({0, 0})},
               {"nodes_splits", values<float>({0, 1})},
               {"nodes_featureids", Ints{0, 1}},
               {"nodes_truenodeids", Ints{0, 1}},
               {"nodes_trueleafs", Ints{1, 1}},
               {"nodes_falsenodeids", Ints{1, 0}},
               {"nodes_falseleafs", Ints{0, 1}},
               {"leaf_targetids", Ints{0, 1}},
               {"leaf_weights", values<float>({2, 3})}};
    // Node 1 is a root and a child.
    REQUIRE_FALSE(NodeRunner(c).reference().ok());
    c.attrs[1].value = Ints{0};
    check_flattened(c);
    CHECK(flattened(c)->inputs[3].shape()[0] == 2);
}

TEST_CASE("trees that the kernel cannot walk are left alone", "[ml][tree]") {
    const Tensor x = small_integers({4, 5}, 1);
    const RandomForest forest(3, 5, 6, 5, 3, kAll, false, false);
    CHECK_FALSE(flattened(classifier(forest, x, 3)));
    const RandomForest ordered(3, 5, 6, 5, 3, kOrdered, false, false);
    CHECK_FALSE(flattened(classifier(ordered, x, 3, "PROBIT")));
    CHECK_FALSE(flattened(regressor(ordered, x, 3, "MAX", "NONE")));
    CHECK_FALSE(flattened(classifier(ordered, Tensor::create(DType::kDouble, {4, 5}).value(), 3)));
    NodeCase text = classifier(ordered, x, 3);
    text.attrs[0] = {"classlabels_strings", Strings{"a", "b", "c"}};
    CHECK_FALSE(flattened(text));
    NodeCase broken = classifier(ordered, x, 3);
    broken.attrs[0].value = Ints{};
    CHECK_FALSE(flattened(broken));
    // Node 1, the root, asks for members; its set is the second one, that of its child the first.
    NodeCase members{.op = "ai.onnx.ml::TreeEnsemble", .inputs = {x}};
    members.attrs = {{"tree_roots", Ints{1}},
                     {"nodes_modes", values<uint8_t>({6, 6})},
                     {"nodes_splits", values<float>({0, 0})},
                     {"membership_values", values<float>({1, NAN, 2, NAN})},
                     {"nodes_featureids", Ints{0, 1}},
                     {"nodes_truenodeids", Ints{0, 0}},
                     {"nodes_trueleafs", Ints{1, 0}},
                     {"nodes_falsenodeids", Ints{1, 1}},
                     {"nodes_falseleafs", Ints{1, 1}},
                     {"leaf_targetids", Ints{0, 0}},
                     {"leaf_weights", values<float>({2, 3})}};
    REQUIRE(NodeRunner(members).reference().ok());
    CHECK_FALSE(flattened(members));
    // Nothing is below minus infinity, and no split says so.
    NodeCase lowest = regressor(ordered, x, 3, "SUM", "NONE");
    for (graph::Attr& a : lowest.attrs) {
        if (a.name == "nodes_values") a.value = Floats(ordered.splits.size(), -INFINITY);
    }
    CHECK_FALSE(flattened(lowest));
    NodeCase exact = classifier(ordered, x, 3);
    const size_t count = ordered.weights.size();
    std::erase_if(exact.attrs, [](const graph::Attr& a) { return a.name == "class_weights"; });
    exact.attrs.push_back({"class_weights_as_tensor", Tensor::of<double>(std::vector<double>(count, 0.1))});
    CHECK_FALSE(flattened(exact));
}

TEST_CASE("models with flattened trees give the same", "[ml][tree]") {
    const RandomForest forest(5, 7, 6, 5, 3, kOrdered, false, false);
    const Tensor x = small_integers({19, 5}, 7);
    NodeCase c = classifier(forest, x, 3);
    const auto check = [&](graph::Model m, const std::vector<Tensor>& inputs) {
        const std::vector<Tensor> wanted = run(m, inputs);
        REQUIRE(offline::optimize(m).ok());
        CHECK(m.graphs[0].nodes.back().op == "ai.coffer::Forest");
        const std::vector<Tensor> got = run(m, inputs);
        REQUIRE(got.size() == wanted.size());
        for (size_t i = 0; i < got.size(); ++i) CHECK(equal(got[i], wanted[i]));
    };
    check(model_of(c), {x});
    SECTION("labels alone") {
        graph::Model m = model_of(c);
        m.graphs[0].outputs = {m.graphs[0].nodes[0].outputs[0]};
        m.graphs[0].nodes[0].outputs.pop_back();
        check(m, {x});
    }
    SECTION("scores alone, of classes with names") {
        graph::Model m = model_of(c);
        m.graphs[0].outputs = {m.graphs[0].nodes[0].outputs[1]};
        m.graphs[0].nodes[0].outputs[0] = graph::kAbsent;
        m.graphs[0].nodes[0].attrs[0] = {"classlabels_strings", Strings{"a", "b", "c"}};
        check(m, {x});
    }
    SECTION("types that wait for text") {
        test::Builder b;
        const auto words = b.input("words", test::type(DType::kString, {-1}));
        const auto numbers = b.input("numbers", test::type(DType::kFloat, {-1, 3}));
        const auto hot = b.node("ai.onnx.ml::OneHotEncoder", {words}, {{"cats_strings", Strings{"a", "b"}}});
        const auto all = b.node("Concat", {hot, numbers}, {{"axis", int64_t{1}}});
        NodeCase scores = regressor(forest, x, 3, "SUM", "NONE");
        b.output(b.node(scores.op, {all}, scores.attrs), "y");
        check(b.model, {Tensor::of<PrivateString>(Strings{"b", "a", "c"}), small_integers({3, 3}, 9)});
    }
}
