// Tree ensembles as ONNX writes them: hostile ones. What they give: tests/offline/flatten_trees_test.cpp.
#include "run_op.hpp"

using namespace coffer;
using namespace coffer::testing;

namespace {

// Two nodes deep: node 0 splits to leaves 1 and 2.
NodeCase stump() {
    NodeCase c{.op = "ai.onnx.ml::TreeEnsembleRegressor", .inputs = {values<float>({1, 2}, {1, 2})}};
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

TEST_CASE("a tree cannot be named twice", "[ml][tree]") {
    NodeCase c{.op = "ai.onnx.ml::TreeEnsemble", .inputs = {values<float>({1, 1}, {1})}};
    c.attrs = {{"tree_roots", Ints{0}},
               {"nodes_modes", values<uint8_t>({0})},
               {"nodes_splits", values<float>({0})},
               {"nodes_featureids", Ints{0}},
               {"nodes_truenodeids", Ints{0}},
               {"nodes_trueleafs", Ints{1}},
               {"nodes_falsenodeids", Ints{0}},
               {"nodes_falseleafs", Ints{1}},
               {"leaf_targetids", Ints{0}},
               {"leaf_weights", values<float>({3})}};
    CHECK(refusal(c) == "");
    c.attrs[0].value = Ints{0, 0};
    CHECK(refusal(c).find("root 0 is named twice") != std::string::npos);
}
