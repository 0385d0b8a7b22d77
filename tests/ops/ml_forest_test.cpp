// ai.coffer::Forest: what it gives, and tensors that would lead a walk astray. tests/offline/flatten_trees_test.cpp
// compares it with ONNX's tree ensembles.
#include <bit>
#include <functional>

#include "run_op.hpp"

using namespace coffer;
using namespace coffer::testing;

namespace {

constexpr uint32_t kLeaf = 0, kNanFirst = 0x80000000u;
enum : size_t { kX, kNodes, kRoots, kWeights, kTargets, kOffsets, kBase, kLabels };

// Tree 0: x1 <= 0.5 ? leaf 0 : leaf 1, NaN to leaf 0; tree 1: leaf 2. Three targets.
NodeCase forest(int64_t rows = 2) {
    NodeCase c{.op = "ai.coffer::Forest", .attrs = {{"n_targets", int64_t{3}}}};
    const auto half = std::bit_cast<uint32_t>(0.5f);
    c.inputs.push_back(random_tensor({rows, 2}, 1));
    c.inputs.push_back(values<uint32_t>({4, 3}, {half, 2 | kNanFirst, 1, 0, kLeaf, 0, 0, kLeaf, 1, 0, kLeaf, 2}));
    c.inputs.push_back(values<uint32_t>({0, 3}));
    c.inputs.push_back(values<float>({1, 2, 4, 8}));
    c.inputs.push_back(values<uint32_t>({0, 1, 2, 0}));
    c.inputs.push_back(values<uint32_t>({0, 1, 3, 4}));
    c.inputs.push_back(values<double>({0, 0, 16}));
    c.inputs.push_back(values<int64_t>({70, 80, 90}));
    c.constant.assign(8, true);
    c.constant[kX] = false;
    c.outputs = 2;
    return c;
}
NodeCase dense() {
    NodeCase c = forest();
    c.inputs[kWeights] = values<float>({3, 3}, {1, 0, 0, 0, 2, 4, 8, 0, 0});
    c.inputs[kTargets] = c.inputs[kOffsets] = Tensor();
    return c;
}

// By the kernel and by the reference alike.
std::string refused(const std::function<void(NodeCase&)>& change, NodeCase c = forest()) {
    change(c);
    const std::string why = refusal(c);
    NodeRunner runner(c);
    if (!runner.infer().ok()) return why;
    const auto planned = runner.plan(0, kernels::available().front(), ops::Layout::kPlain);
    CHECK((planned.ok() ? std::string() : planned.error().message()) == why);
    return why;
}
std::string refused(size_t input, Tensor tensor, const NodeCase& c = forest()) {
    return refused([&](NodeCase& changed) { changed.inputs[input] = std::move(tensor); }, c);
}
// Word `at` of an input of uint32.
std::string refused(size_t input, size_t at, uint32_t word, const NodeCase& c = forest()) {
    Tensor t = Tensor::create(DType::kUint32, c.inputs[input].shape()).value();
    std::ranges::copy(c.inputs[input].span<uint32_t>(), t.span<uint32_t>().begin());
    t.span<uint32_t>()[at] = word;
    return refused(input, std::move(t), c);
}

}  // namespace

TEST_CASE("a forest adds up leaves", "[ml][forest]") {
    for (NodeCase c : {forest(), dense()}) {
        c.inputs[kX] = values<float>({3, 2}, {9, 0.5f, 9, 0.75f, 9, NAN});
        const std::vector<Tensor> got = reference(c);
        CHECK(same(got[0], values<float>({3, 3}, {9, 0, 16, 8, 2, 20, 9, 0, 16})));
        CHECK(same(got[1], values<int64_t>({90, 90, 90})));
        CHECK(check_fast(c) > 0);
        c.inputs[kBase] = Tensor();
        c.attrs.push_back({"aggregate_function", std::string("AVERAGE")});
        CHECK(same(reference(c)[0], values<float>({3, 3}, {4.5f, 0, 0, 4, 1, 2, 4.5f, 0, 0})));
        CHECK(same(reference(c)[1], values<int64_t>({70, 70, 70})));
        CHECK(check_fast(c) > 0);
        c.inputs[kX] = values<float>({2}, {9, 0.5f});  // one row
        CHECK(same(reference(c)[0], values<float>({1, 3}, {4.5f, 0, 0})));
        CHECK(check_fast(c) > 0);
        c.inputs[kX] = empty(DType::kFloat, {0, 2});
        CHECK(reference(c)[1].shape() == Shape{0});
    }
}

TEST_CASE("a forest whose constants are none is left to the reference", "[ml][forest]") {
    for (size_t i = kNodes; i <= kLabels; ++i) {
        NodeCase c = forest();
        c.constant[i] = false;
        CHECK(check_fast(c) == 0);
    }
}

TEST_CASE("a forest that is wiped while it runs ends", "[ml][forest]") {
    for (const NodeCase& c : {forest(), dense()}) {
        NodeRunner runner(c);
        REQUIRE(runner.infer().ok());
        const auto planned = runner.plan(0, kernels::available().front(), ops::Layout::kPlain);
        REQUIRE(planned.ok());
        for (size_t i = kNodes; i <= kOffsets; ++i) {
            if (c.inputs[i].valid()) std::memset(c.inputs[i].view().data, 0, c.inputs[i].nbytes());
        }
        CHECK((*planned)->run());
    }
}

TEST_CASE("forests that are none", "[ml][forest]") {
    REQUIRE(refusal(forest()) == "");
    REQUIRE(refusal(dense()) == "");
    const auto says = [](const std::string& why, const char* part) {
        INFO(why);
        return why.find(part) != std::string::npos;
    };
    // Ways of a walk.
    CHECK(says(refused(kNodes, 2, 0), "node 0 of 4 has child 0 and the next"));  // itself
    CHECK(says(refused(kNodes, 2, 3), "node 0 of 4 has child 3 and the next"));  // only one
    CHECK(says(refused(kNodes, 2, 4), "has child 4"));
    CHECK(says(refused(kNodes, 2, UINT32_MAX), "has child 4294967295"));
    CHECK(says(refused(kNodes, 10, 1), "node 3 of 4 has child 2"));  // the last leaf becomes a branch backwards
    CHECK(says(refused(kNodes, 1, 3), "looks at feature 2 of 2"));
    CHECK(says(refused(kNodes, 1, kNanFirst | 3), "looks at feature 2 of 2"));
    CHECK(says(refused(kNodes, 1, 0x7fffffff), "looks at feature 2147483646 of 2"));
    CHECK(says(refused(kNodes, 1, kNanFirst), "looks at feature 4294967295 of 2"));
    // More steps than nodes.
    CHECK(says(refused(kNodes, values<uint32_t>({4, 3}, {0, 1, 1, 0, 1, 2, 0, kLeaf, 0, 0, kLeaf, 0})),
               "node 2 has several parents"));
    CHECK(says(refused(kRoots, 1, 2), "root 2 is also a child"));
    CHECK(says(refused(kRoots, 1, 0), "root 0 is also a child, or is named twice"));
    CHECK(refused(kNodes, 1, kLeaf) == "");  // leaf 1
    // More weights than there are.
    CHECK(says(refused(kNodes, 5, 1), "leaf 1 has several weights and several nodes"));
    CHECK(says(refused(kNodes, 5, 1, dense()), "leaf 1 has several weights and several nodes"));
    CHECK(refused(kNodes, 11, 0) == "");  // leaf 0 has one
    CHECK(says(refused(kNodes, 5, 3), "node 1 is leaf 3 of 3"));
    CHECK(says(refused(kNodes, 5, UINT32_MAX), "node 1 is leaf 4294967295 of 3"));
    CHECK(says(refused(kNodes, 5, 3, dense()), "node 1 is leaf 3 of 3"));
    CHECK(says(refused(kRoots, 1, 4), "root 4 of 4 nodes"));
    CHECK(says(refused(kTargets, 3, 3), "target 3 of 3"));
    CHECK(says(refused(kOffsets, 1, 4), "leaf_offsets has 3 after 4"));
    CHECK(says(refused(kOffsets, 3, 5), "leaf_offsets has 5 after 3, of 4 weights"));
    CHECK(says(refused(kOffsets, 0, UINT32_MAX), "leaf_offsets has 4294967295 after 0"));
    CHECK(says(refused(kNodes, empty(DType::kUint32, {0, 3})), "root 0 of 0 nodes"));
    CHECK(says(refused(kX, random_tensor({2, 1}, 1)), "feature 1 of 1"));
    // Shapes.
    CHECK(says(refused(kX, random_tensor({2, 2, 2}, 1)), "rank"));
    CHECK(says(refused(kNodes, values<uint32_t>({1, 2, 3})), "nodes has shape"));
    CHECK(says(refused(kNodes, empty(DType::kUint32, {4, 2})), "expected (nodes, 3)"));
    CHECK(says(refused(kRoots, empty(DType::kUint32, {2, 1})), "roots has shape"));
    CHECK(says(refused(kWeights, empty(DType::kFloat, {4, 1})), "leaf_weights has shape"));
    CHECK(says(refused(kWeights, empty(DType::kFloat, {3, 2}), dense()), "expected (leaves, 3)"));
    CHECK(says(refused(kWeights, empty(DType::kFloat, {9}), dense()), "expected (leaves, 3)"));
    CHECK(says(refused(kTargets, values<uint32_t>({0})), "leaf_targets has shape"));
    CHECK(says(refused(kOffsets, empty(DType::kUint32, {0})), "leaf_offsets has shape"));
    CHECK(says(refused(kOffsets, empty(DType::kUint32, {})), "leaf_offsets has shape"));
    CHECK(says(refused(kBase, values<double>({0, 0})), "base has shape"));
    CHECK(says(refused(kLabels, values<int64_t>({0, 0})), "labels has shape"));
    // Types and inputs left out.
    for (size_t i = kX; i <= kLabels; ++i) {
        CHECK(says(refused(i, empty(DType::kInt32, forest().inputs[i].shape())), " of type int32"));
    }
    for (size_t i = kNodes; i <= kWeights; ++i) CHECK(says(refused(i, Tensor()), "is missing"));
    CHECK(says(refused(kTargets, Tensor()), "go together"));
    CHECK(says(refused(kOffsets, Tensor()), "go together"));
    CHECK(says(refused(kLabels, Tensor()), "no labels"));
    // Attributes.
    const auto with = [](const char* name, graph::AttrValue value) {
        return refused([&](NodeCase& c) { c.attrs.insert(c.attrs.begin(), {name, value}); });
    };
    CHECK(says(with("n_targets", int64_t{0}), "n_targets is 0"));
    CHECK(says(with("n_targets", int64_t{-1}), "n_targets is -1"));
    CHECK(says(with("aggregate_function", std::string("MIN")), "'MIN'"));
    CHECK(says(with("post_transform", std::string("PROBIT")), "'PROBIT'"));
    CHECK(says(with("two_classes", std::string("MOST")), "'MOST'"));
    CHECK(says(with("two_classes", std::string("MARGIN")), "n_targets is 3"));
}
