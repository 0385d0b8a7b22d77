#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstdlib>
#include <new>

#include "catch.hpp"
#include "coffer/kernels/dispatch.hpp"
#include "runtime/evaluate.hpp"
#include "runtime/graphs.hpp"

// Counts every allocation of this program while `counting` is set.
namespace {
std::atomic<bool> counting{false};
std::atomic<size_t> allocations{0};
void* counted(size_t size, size_t alignment) {
    if (counting) ++allocations;
    void* p = alignment > alignof(std::max_align_t)
                  ? std::aligned_alloc(alignment, (size + alignment - 1) / alignment * alignment)
                  : std::malloc(size);
    if (!p) throw std::bad_alloc();
    return p;
}
void* counted_or_null(size_t size, size_t alignment) noexcept {
    try {
        return counted(size, alignment);
    } catch (const std::bad_alloc&) {
        return nullptr;
    }
}
}  // namespace
void* operator new(size_t size) {
    return counted(size, 1);
}
void* operator new[](size_t size) {
    return counted(size, 1);
}
void* operator new(size_t size, std::align_val_t a) {
    return counted(size, static_cast<size_t>(a));
}
void* operator new[](size_t size, std::align_val_t a) {
    return counted(size, static_cast<size_t>(a));
}
void* operator new(size_t size, const std::nothrow_t&) noexcept {
    return counted_or_null(size, 1);
}
void* operator new[](size_t size, const std::nothrow_t&) noexcept {
    return counted_or_null(size, 1);
}
void* operator new(size_t size, std::align_val_t a, const std::nothrow_t&) noexcept {
    return counted_or_null(size, static_cast<size_t>(a));
}
void* operator new[](size_t size, std::align_val_t a, const std::nothrow_t&) noexcept {
    return counted_or_null(size, static_cast<size_t>(a));
}
void operator delete(void* p) noexcept {
    std::free(p);
}
void operator delete[](void* p) noexcept {
    std::free(p);
}
void operator delete(void* p, size_t) noexcept {
    std::free(p);
}
void operator delete[](void* p, size_t) noexcept {
    std::free(p);
}
void operator delete(void* p, std::align_val_t) noexcept {
    std::free(p);
}
void operator delete[](void* p, std::align_val_t) noexcept {
    std::free(p);
}
void operator delete(void* p, size_t, std::align_val_t) noexcept {
    std::free(p);
}
void operator delete[](void* p, size_t, std::align_val_t) noexcept {
    std::free(p);
}

using namespace coffer;
using namespace coffer::test;

namespace {

std::unique_ptr<runtime::Runner> runner_of(const std::shared_ptr<const runtime::Model>& model, unsigned threads = 1) {
    runtime::RunnerOptions options;
    options.threads = threads;
    return runtime::Runner::create(model, options).value();
}

std::vector<float> floats(const Value& v) {
    const auto s = v.tensor.span<float>();
    return {s.begin(), s.end()};
}

}  // namespace

TEST_CASE("the forced instruction set is the one that runs") {
    const char* forced = os::environment("COFFER_FORCE_ARCH");
    REQUIRE(kernels::forced_ok());
    if (forced && *forced) REQUIRE(std::string(kernels::arch_name(kernels::chosen())) == forced);
}

TEST_CASE("a run with shapes seen before allocates nothing") {
    for (unsigned threads : {1u, 2u}) {
        const auto runner = runner_of(small_cnn().build(), threads);
        const Tensor x = noise({2, 3, 16, 16}, 7);
        std::vector<float> p(20);
        REQUIRE(runner->bind_input(0, Value(x)));
        runner->bind_output(0, {p.data(), DType::kFloat, Shape{2, 10}});
        REQUIRE(runner->run());
        allocations = 0;
        counting = true;
        bool ok = true;
        for (int i = 0; i < 10; ++i) ok = ok && runner->run().ok();
        counting = false;
        REQUIRE(ok);
        CHECK(allocations == 0);
        CHECK(std::fabs(p[0] + p[1] + p[2] + p[3] + p[4] + p[5] + p[6] + p[7] + p[8] + p[9] - 1) < 1e-5);
    }
}

TEST_CASE("results do not depend on the number of threads") {
    Builder b;
    const auto x = b.input("x", type(DType::kFloat, {1, 32, 40, 40}));
    const auto conv = b.node("Conv", {x, b.constant("w", noise({64, 32, 3, 3}, 1))});
    const auto act = b.node("Sigmoid", {conv});
    b.output(act, "y", type(DType::kFloat, {1, 64, 38, 38}));
    const auto model = b.build();
    std::vector<float> first;
    for (unsigned threads : {1u, 2u, 3u, 5u}) {
        const auto runner = runner_of(model, threads);
        REQUIRE(runner->bind_input(0, Value(noise({1, 32, 40, 40}, 9))));
        REQUIRE(runner->run());
        const auto y = floats(runner->output(0));
        if (first.empty()) first = y;
        REQUIRE(y == first);
    }
}

// Those that fit lie behind the activations; the third has memory of its own.
TEST_CASE("outputs are the same in the runner's memory and in the caller's") {
    Builder b;
    const auto x = b.input("x", type(DType::kFloat, {300, 500}));
    const auto exp = b.node("Exp", {x}), neg = b.node("Neg", {x});
    b.output(neg, "early", type(DType::kFloat, {300, 500}));
    b.output(b.node("Add", {exp, b.node("Sqrt", {exp})}), "late", type(DType::kFloat, {300, 500}));
    b.output(b.node("Concat", {neg, exp, neg}, {{"axis", int64_t{0}}}), "large", type(DType::kFloat, {900, 500}));
    const auto model = b.build();
    const auto own = runner_of(model), given = runner_of(model);
    std::vector<Tensor> buffers;
    for (size_t i = 0; i < 3; ++i) {
        buffers.push_back(Tensor::create(DType::kFloat, Shape{i == 2 ? 900 : 300, 500}).value());
        given->bind_output(i, buffers[i].view());
    }
    for (uint32_t seed : {1u, 2u}) {
        const Tensor input = noise({300, 500}, seed);
        REQUIRE(own->bind_input(0, Value(input)));
        REQUIRE(given->bind_input(0, Value(input)));
        REQUIRE(own->run());
        REQUIRE(given->run());
        for (size_t i = 0; i < 3; ++i) CHECK(std::ranges::equal(own->output(i).tensor.bytes(), buffers[i].bytes()));
        CHECK(buffers[0].span<float>()[7] == -input.span<float>()[7]);
    }
}

TEST_CASE("a box is written into an activation where it lies") {
    Builder b;
    const auto x = b.input("x", type(DType::kFloat, {6, 50}));
    const auto rows = b.constant("rows", Tensor::of<int64_t>(std::vector<int64_t>{2, 3}));
    const auto places = b.node("Unsqueeze", {rows, b.constant("axis", Tensor::of<int64_t>(std::vector<int64_t>{1}))});
    const auto first = b.node("Slice", {x, b.constant("b", Tensor::of<int64_t>(std::vector<int64_t>{0})),
                                        b.constant("e", Tensor::of<int64_t>(std::vector<int64_t>{2}))});
    const auto y = b.node("ScatterND", {b.node("Neg", {x}), places, b.node("Abs", {first})});
    b.output(b.node("Neg", {y}), "y", type(DType::kFloat, {6, 50}));
    const auto runner = runner_of(b.build());
    for (uint32_t seed : {1u, 2u}) {
        const Tensor input = noise({6, 50}, seed);
        REQUIRE(runner->bind_input(0, Value(input)));
        REQUIRE(runner->run());
        const auto out = floats(runner->output(0));
        for (size_t i = 0; i < 300; ++i) {
            const bool written = i / 50 == 2 || i / 50 == 3;
            CHECK(out[i] == (written ? -std::fabs(input.span<float>()[i - 100]) : input.span<float>()[i]));
        }
    }
}

TEST_CASE("shapes may change from run to run") {
    const auto runner = runner_of(small_cnn().build());
    std::vector<float> one;
    for (int64_t batch : {1, 3, 1, 5, 2, 1}) {
        const Tensor x = noise({batch, 3, 16, 16}, 7);
        REQUIRE(runner->bind_input(0, Value(x)));
        REQUIRE(runner->run());
        REQUIRE(runner->output(0).tensor.shape() == Shape{batch, 10});
        const auto y = floats(runner->output(0));
        if (one.empty()) one = y;
        for (size_t i = 0; i < 10; ++i) CHECK(std::fabs(y[i] - one[i]) < 1e-6f);
    }
}

TEST_CASE("weights computed from shapes belong to the plan of those shapes") {
    // y = x (size(z) * m): the product's constant operand is another one for each length of z, and old plans go.
    Builder b;
    const auto x = b.input("x", type(DType::kFloat, {4, 32}));
    const auto z = b.input("z", type(DType::kFloat, {-1}));
    const auto size = b.node("Cast", {b.node("Size", {z})}, {{"to", int64_t{1}}});
    const Tensor ones = Tensor::create(DType::kFloat, Shape{32, 32}).value();
    for (float& w : ones.span<float>()) w = 1;
    b.output(b.node("MatMul", {x, b.node("Mul", {b.constant("m", ones), size})}), "y");
    const auto runner = runner_of(b.build());
    const Tensor ones_in = Tensor::create(DType::kFloat, Shape{4, 32}).value();
    for (float& v : ones_in.span<float>()) v = 1;
    for (int64_t n = 1; n <= 60; ++n) {
        REQUIRE(runner->bind_input(0, Value(ones_in)));
        REQUIRE(runner->bind_input(1, Value(noise({n}, 1))));
        REQUIRE(runner->run());
        for (float y : floats(runner->output(0))) REQUIRE(y == static_cast<float>(32 * n));
    }
}

TEST_CASE("an empty batch gives an empty result") {
    const auto runner = runner_of(small_cnn().build());
    REQUIRE(runner->bind_input(0, Value(noise({0, 3, 16, 16}, 1))));
    REQUIRE(runner->run());
    CHECK(runner->output(0).tensor.shape() == Shape{0, 10});
}

TEST_CASE("nothing is run for outputs without elements, however large the other dims") {
    constexpr int64_t kMany = int64_t{1} << 40;
    for (const DType dtype : {DType::kFloat, DType::kString}) {  // planned, and evaluated
        Builder b;
        const auto x = b.input("x", type(dtype, {kMany, 0}));
        const auto turned = b.node("Transpose", {x}, {{"perm", PrivateVector<int64_t>{1, 0}}});
        const auto twice = b.node("Concat", {turned, turned}, {{"axis", int64_t{1}}});
        b.output(dtype == DType::kFloat ? b.node("Trilu", {twice}) : b.node("Identity", {twice}), "y");
        const auto runner = runner_of(b.build());
        REQUIRE(runner->bind_input(0, Value(Tensor::create(dtype, Shape{kMany, 0}).value())));
        REQUIRE(runner->run());
        CHECK(runner->output(0).tensor.shape() == Shape{0, 2 * kMany});
    }
}

TEST_CASE("an op that takes tensors alone refuses sequences and optionals") {
    for (const ops::Op& op : ops::table()) {
        const size_t count = static_cast<size_t>(std::max(op.facts->min_inputs, std::min(op.facts->max_inputs, 1)));
        if (op.facts->any_kind || count == 0) continue;
        for (const ValueKind kind : {ValueKind::kSequence, ValueKind::kOptional}) {
            graph::Node node{op.facts->name, "n", std::vector<graph::ValueId>(count, 0), {1}, {}};
            std::vector<ops::Type> in(count, {ValueKind::kTensor, DType::kFloat, Shape{2, 2}, true}), out(1);
            in.back() = {kind, DType::kFloat, {}, false};
            const std::vector<const TensorView*> known(count, nullptr);
            const Status status = runtime::infer_node(op, node, in, known, nullptr, out);
            REQUIRE(!status.ok());
            CHECK(status.error().message().ends_with("is not a tensor"));
        }
    }
}

TEST_CASE("a subgraph that has not the inputs its node passes is refused") {
    for (const char* op : {"Loop", "Scan", "SequenceMap"}) {
        Builder b;
        b.model.graphs.emplace_back();
        const auto x = b.input("x", type(DType::kFloat, {3}));
        b.output(b.constant("inner", Tensor::scalar(1.0f), 1), "y", {}, 1);
        std::vector<graph::ValueId> inputs{x};
        std::vector<graph::Attr> attrs{{"body", graph::GraphRef{1}}};
        if (std::string_view(op) == "Loop") inputs = {graph::kAbsent, graph::kAbsent, x};
        if (std::string_view(op) == "Scan") attrs.push_back({"num_scan_inputs", int64_t{1}});
        if (std::string_view(op) == "SequenceMap") inputs = {b.node("SequenceConstruct", {x})};
        b.output(b.node(op, inputs, attrs), "out");
        const auto runner = runner_of(b.build());
        REQUIRE(runner->bind_input(0, Value(noise({3}, 1))));
        const Status status = runner->run();
        REQUIRE(!status.ok());
        CHECK(status.error().code() == Code::kInvalidArgument);
        CHECK(status.error().message().find("has 0 inputs") != std::string::npos);
    }
}

TEST_CASE("a loop whose body has nothing to do ends with its deadline") {
    Builder b;
    b.model.graphs.emplace_back();
    const auto x = b.input("x", type(DType::kFloat, {3}));
    b.input("i", type(DType::kInt64, {}), 1);
    const auto condition = b.input("condition", type(DType::kBool, {}), 1), carried = b.input("carried", {}, 1);
    b.model.graphs[1].outputs = {condition, carried};
    b.output(b.node("Loop", {graph::kAbsent, graph::kAbsent, x}, {{"body", graph::GraphRef{1}}}), "out");
    const auto runner = runner_of(b.build());
    REQUIRE(runner->bind_input(0, Value(noise({3}, 1))));
    const Status status = runner->run(20'000'000);
    REQUIRE(!status.ok());
    CHECK(status.error().code() == Code::kDeadline);
}

TEST_CASE("a deadline and a cancellation are for one run, also where a subgraph is planned") {
    Builder b;
    const auto x = b.input("x", type(DType::kFloat, {-1}));
    const auto state = b.input("state", type(DType::kBool, {}));
    for (size_t g : {1, 2}) {
        b.model.graphs.emplace_back();
        const auto inner = b.input("inner", type(DType::kFloat, {-1}), g);
        b.output(b.node(g == 1 ? "Neg" : "Abs", {inner}, {}, g), "out", {}, g);
    }
    b.output(
        b.node("If", {state, x},
               {{"then_branch", graph::GraphRef{1}}, {"else_branch", graph::GraphRef{2}}, {"captures", int64_t{1}}}),
        "y");
    b.output(b.node("Not", {state}), "next", type(DType::kBool, {}));
    b.model.states.push_back({"state", "next", std::nullopt});
    const auto runner = runner_of(b.build());
    runner->cancel();
    REQUIRE(runner->bind_input(0, Value(noise({3}, 1))));
    const Status cancelled = runner->run();
    REQUIRE(!cancelled.ok());
    CHECK(cancelled.error().code() == Code::kCancelled);
    REQUIRE(runner->run(1'000'000'000));
    const Status late = runner->run(1);
    REQUIRE(!late.ok());
    CHECK(late.error().code() == Code::kDeadline);
    for (const int64_t size : {4, 5}) {  // of shapes that are planned after that deadline
        REQUIRE(runner->bind_input(0, Value(noise({size}, 1))));
        const Status status = size == 4 ? runner->prepare() : runner->run();
        REQUIRE(status.ok());
    }
}

TEST_CASE("an output larger than there can be is refused before an op plans for it") {
    Builder b;
    const auto x = b.input("x", type(DType::kFloat, {1, 1, 1, -1}));
    const auto sizes = b.constant("sizes", Tensor::of<int64_t>(std::array<int64_t, 4>{1, 1, 1, int64_t{1} << 40}));
    const auto large =
        b.node("Resize", {x, graph::kAbsent, graph::kAbsent, sizes}, {{"mode", std::string("nearest")}});
    b.output(b.node("ReduceMax", {large}), "y");
    const auto runner = runner_of(b.build());
    REQUIRE(runner->bind_input(0, Value(noise({1, 1, 1, 2}, 1))));
    const Status status = runner->run();
    REQUIRE(!status.ok());
    CHECK(status.error().code() == Code::kLimit);
}

TEST_CASE("statistics alone of a normalization, indices alone of a pool") {
    Builder b;
    const auto x = b.input("x", type(DType::kFloat, {2, 1, 2, 4}));
    const auto only = [&](graph::ValueId result, const std::string& name) {
        b.model.graphs[0].nodes.back().outputs = {graph::kAbsent, result};
        b.output(result, name);
    };
    only(b.node("LayerNormalization", {x, b.constant("scale", noise({4}, 1))}), "mean");
    only(b.node("MaxPool", {x}, {{"kernel_shape", PrivateVector<int64_t>{2, 2}}}), "indices");
    const auto runner = runner_of(b.build());
    const std::vector<float> in{1, 2, 3, 6, 0, 0, 0, 0, 4, 4, 4, 4, 9, 1, 1, 1};
    const Tensor tensor = Tensor::of<float>(in);
    REQUIRE(runner->bind_input(0, Value(Tensor::wrap({tensor.view().data, DType::kFloat, {2, 1, 2, 4}}, nullptr))));
    REQUIRE(runner->run());
    CHECK(floats(runner->output(0)) == std::vector<float>{3, 0, 4, 3});
    const auto indices = runner->output(1).tensor.span<int64_t>();
    CHECK(std::vector<int64_t>(indices.begin(), indices.end()) == std::vector<int64_t>{1, 2, 3, 12, 9, 10});
}

TEST_CASE("weights that are an input are read as they are, whatever the layout of the rest") {
    // The weights have the shape of the output.
    const Tensor w = noise({2, 2, 3, 3}, 2);
    std::vector<std::vector<float>> results;
    for (const bool constant : {true, false}) {
        Builder b;
        const auto x = b.input("x", type(DType::kFloat, {2, 2, 5, 5}));
        const auto weights = constant ? b.constant("w", w) : b.input("w", type(DType::kFloat, {2, 2, 3, 3}));
        b.output(b.node("Conv", {x, weights}), "y");
        const auto runner = runner_of(b.build());
        REQUIRE(runner->bind_input(0, Value(noise({2, 2, 5, 5}, 1))));
        if (!constant) REQUIRE(runner->bind_input(1, Value(w)));
        REQUIRE(runner->run());
        results.push_back(floats(runner->output(0)));
    }
    CHECK(results[0] == results[1]);
}

TEST_CASE("nodes that pack the same weights in different ways have each their own") {
    // Read as one group for each channel, or as one for two outputs: one is depthwise, the other is not.
    const std::pair<Shape, std::array<int64_t, 2>> cases[] = {
        {{64, 1, 3, 3}, {64, 32}}, {{144, 1, 3, 3}, {144, 16}}, {{40, 6, 3, 3}, {1, 2}}};
    for (const auto& [shape, groups] : cases) {
        std::vector<std::vector<float>> results[2];
        for (const bool shared : {true, false}) {
            Builder b;
            const graph::ValueId w = b.constant("w", noise(shape, 1));
            for (size_t i = 0; i < 2; ++i) {
                const auto x = b.input("x" + std::to_string(i), type(DType::kFloat, {1, groups[i] * shape[1], 8, 8}));
                const auto weights = shared || i == 0 ? w : b.constant("again", noise(shape, 1));
                b.output(b.node("Conv", {x, weights}, {{"group", groups[i]}}), "y" + std::to_string(i));
            }
            const auto runner = runner_of(b.build());
            for (size_t i = 0; i < 2; ++i) {
                REQUIRE(runner->bind_input(i, Value(noise({1, groups[i] * shape[1], 8, 8}, 2))));
            }
            REQUIRE(runner->run());
            for (size_t i = 0; i < 2; ++i) results[shared].push_back(floats(runner->output(i)));
        }
        CHECK(results[0] == results[1]);
    }
}

TEST_CASE("nodes whose shapes depend on data run between stages") {
    // y = relu(x[nonzero(x)]) + 1
    Builder b;
    const auto x = b.input("x", type(DType::kFloat, {6}));
    const auto at = b.node("NonZero", {x});
    const auto rows = b.node("Transpose", {at}, {{"perm", PrivateVector<int64_t>{1, 0}}});
    const auto picked = b.node("GatherND", {x, rows});
    const auto relu = b.node("Relu", {picked});
    const auto y = b.node("Add", {relu, b.constant("one", Tensor::scalar(1.0f))});
    b.output(y, "y");
    const auto runner = runner_of(b.build());
    const auto check = [&](std::vector<float> in, const std::vector<float>& want) {
        REQUIRE(runner->bind_input(0, Value(Tensor::of<float>(in))));
        REQUIRE(runner->run());
        CHECK(floats(runner->output(0)) == want);
    };
    check({0, 2, 0, -3, 4, 0}, {3, 1, 5});
    check({1, 1, 1, 1, 1, 1}, {2, 2, 2, 2, 2, 2});
    check({0, 0, 0, 0, 0, 0}, {});
    check({0, 5, 0, -3, 4, 0}, {6, 1, 5});
}

TEST_CASE("If runs one of its branches and passes captured values") {
    Builder b;
    const auto c = b.input("c", type(DType::kBool, {}));
    const auto x = b.input("x", type(DType::kFloat, {4}));
    for (size_t g : {1, 2}) {
        b.model.graphs.emplace_back();
        const auto inner = b.input("inner", type(DType::kFloat, {4}), g);
        const auto y = b.node(g == 1 ? "Neg" : "Abs", {inner}, {}, g);
        b.output(y, "out", {}, g);
    }
    const auto y =
        b.node("If", {c, x},
               {{"then_branch", graph::GraphRef{1}}, {"else_branch", graph::GraphRef{2}}, {"captures", int64_t{1}}});
    b.output(y, "y");
    const auto runner = runner_of(b.build());
    const std::vector<float> in{1, -2, 3, -4};
    for (bool condition : {true, false}) {
        REQUIRE(runner->bind_input(0, Value(Tensor::scalar(condition))));
        REQUIRE(runner->bind_input(1, Value(Tensor::of<float>(in))));
        REQUIRE(runner->run());
        const auto out = floats(runner->output(0));
        for (size_t i = 0; i < 4; ++i) CHECK(out[i] == (condition ? -in[i] : std::fabs(in[i])));
    }
}

TEST_CASE("state is carried from run to run, and put back by reset") {
    Builder b;
    const auto x = b.input("x", type(DType::kFloat, {3}));
    const auto s = b.input("s", type(DType::kFloat, {3}));
    const auto next = b.node("Add", {x, s});
    b.output(next, "next", type(DType::kFloat, {3}));
    const auto twice = b.node("Add", {next, next});
    b.output(twice, "y", type(DType::kFloat, {3}));
    b.model.states.push_back({"s", "next", std::nullopt});
    const auto runner = runner_of(b.build());
    REQUIRE(runner->model().inputs().size() == 1);
    REQUIRE(runner->model().outputs().size() == 1);
    const auto step = [&](float value) {
        REQUIRE(runner->bind_input(0, Value(Tensor::of<float>(std::vector<float>{value, 2 * value, -value}))));
        REQUIRE(runner->run());
        return floats(runner->output(0));
    };
    CHECK(step(1) == std::vector<float>{2, 4, -2});
    CHECK(step(1) == std::vector<float>{4, 8, -4});
    CHECK(step(3) == std::vector<float>{10, 20, -10});
    REQUIRE(runner->reset());
    CHECK(step(1) == std::vector<float>{2, 4, -2});

    SECTION("a cancelled run leaves it alone") {
        runner->cancel();
        REQUIRE(runner->bind_input(0, Value(Tensor::of<float>(std::vector<float>{1, 1, 1}))));
        const Status status = runner->run();
        REQUIRE(!status.ok());
        CHECK(status.error().code() == Code::kCancelled);
        CHECK(step(1) == std::vector<float>{4, 8, -4});
    }
}

TEST_CASE("wrong inputs are refused by name") {
    const auto runner = runner_of(small_cnn().build());
    const Status missing = runner->run();
    REQUIRE(!missing.ok());
    CHECK(missing.error().message().find("'x'") != std::string::npos);
    const auto refused = [&](Value v, const std::string& part) {
        const Status status = runner->bind_input(0, std::move(v));
        REQUIRE(!status.ok());
        CHECK(status.error().code() == Code::kInvalidArgument);
        CHECK(status.error().message().find(part) != std::string::npos);
    };
    refused(Value(noise({1, 3, 16, 15}, 1)), "(1, 3, 16, 15)");
    refused(Value(noise({3, 16, 16}, 1)), "(batch, 3, 16, 16)");
    refused(Value(Tensor::create(DType::kInt64, Shape{1, 3, 16, 16}).value()), "int64");
    refused(Value(), "not given");
}

TEST_CASE("an output buffer of another shape is refused, and the right shape is told") {
    const auto runner = runner_of(small_cnn().build());
    REQUIRE(runner->bind_input(0, Value(noise({2, 3, 16, 16}, 1))));
    std::vector<float> small(10);
    runner->bind_output(0, {small.data(), DType::kFloat, Shape{1, 10}});
    const Status status = runner->run();
    REQUIRE(!status.ok());
    CHECK(status.error().code() == Code::kBufferTooSmall);
    CHECK(runner->output_type(0).shape == Shape{2, 10});
}

TEST_CASE("an index out of range is an error, not a read") {
    Builder b;
    const auto i = b.input("i", type(DType::kInt64, {2}));
    const auto y = b.node("Gather", {b.constant("table", noise({5, 8}, 1)), i});
    b.output(y, "y", type(DType::kFloat, {2, 8}));
    const auto runner = runner_of(b.build());
    REQUIRE(runner->bind_input(0, Value(Tensor::of<int64_t>(std::vector<int64_t>{4, -5}))));
    REQUIRE(runner->run());
    for (int64_t bad : {5, -6, 1 << 30}) {
        REQUIRE(runner->bind_input(0, Value(Tensor::of<int64_t>(std::vector<int64_t>{0, bad}))));
        const Status status = runner->run();
        REQUIRE(!status.ok());
        CHECK(status.error().code() == Code::kInvalidArgument);
    }
}

TEST_CASE("a state of strings is carried like any other") {
    Builder b;
    const auto x = b.input("x", type(DType::kString, {2}));
    const auto s = b.input("s", type(DType::kString, {2}));
    const auto next = b.node("StringConcat", {s, x});
    b.output(next, "next", type(DType::kString, {2}));
    b.output(b.node("Identity", {next}), "y", type(DType::kString, {2}));
    b.model.states.push_back({"s", "next", std::nullopt});
    const auto runner = runner_of(b.build());
    const Tensor words = Tensor::create(DType::kString, Shape{2}).value();
    words.span<PrivateString>()[0] = "a";
    words.span<PrivateString>()[1] = "more than fits into the object itself ";
    for (int round = 0; round < 2; ++round) {
        PrivateString first, second;
        for (int i = 0; i < 5; ++i) {
            REQUIRE(runner->bind_input(0, Value(words)));
            REQUIRE(runner->run());
            first += words.span<PrivateString>()[0];
            second += words.span<PrivateString>()[1];
            CHECK(runner->output(0).tensor.span<PrivateString>()[0] == first);
            CHECK(runner->output(0).tensor.span<PrivateString>()[1] == second);
        }
        REQUIRE(runner->reset());
    }
}

TEST_CASE("attention that is asked for its cache alone does not look at queries") {
    constexpr int64_t kMany = int64_t{1} << 40;
    Builder b;
    const auto q = b.input("q", type(DType::kFloat, {1, 1, kMany, 0}));
    const auto k = b.input("k", type(DType::kFloat, {1, 1, 3, 0}));
    const auto v = b.input("v", type(DType::kFloat, {1, 1, 3, 4}));
    const auto cache = b.node("Attention", {q, k, v});
    b.model.graphs[0].nodes.back().outputs = {graph::kAbsent, graph::kAbsent, cache};
    b.output(cache, "cache");
    const auto runner = runner_of(b.build());
    REQUIRE(runner->bind_input(0, Value(Tensor::create(DType::kFloat, Shape{1, 1, kMany, 0}).value())));
    REQUIRE(runner->bind_input(1, Value(Tensor::create(DType::kFloat, Shape{1, 1, 3, 0}).value())));
    REQUIRE(runner->bind_input(2, Value(noise({1, 1, 3, 4}, 1))));
    REQUIRE(runner->run());
    CHECK(floats(runner->output(0)) == floats(Value(noise({1, 1, 3, 4}, 1))));
}
