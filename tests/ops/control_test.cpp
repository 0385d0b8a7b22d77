// Control flow and sequences with bodies written here: the contexts run a C++ function as the subgraph.
#include <functional>

#include "ops/run_op.hpp"

using namespace coffer;
using namespace coffer::testing;

namespace {

using Body = std::function<Status(uint32_t graph, std::span<const Value>, std::vector<Value>*)>;

struct Run final : ops::RunContext {
    using RunContext::RunContext;
    Body body;
    std::vector<Value> in, results;
    std::vector<TensorView> in_views, out_views;
    std::vector<Tensor> memory;
    size_t scratch_left = size_t{1} << 24;

    Status allocate(size_t i, DType dtype, const Shape& shape) override {
        COFFER_TRY_ASSIGN(Tensor t, Tensor::create(dtype, shape));
        return set_output_value(i, Value(std::move(t)));
    }
    Result<std::byte*> scratch(size_t bytes) override {
        if (bytes > scratch_left) return error(Code::kLimit, Detail::kLimit, "no scratch left");
        scratch_left -= bytes;
        memory.push_back(Tensor::create(DType::kUint8, Shape{static_cast<int64_t>(bytes)}).value());
        return memory.back().view().as<std::byte>();
    }
    const Value& input_value(size_t i) const override { return in[i]; }
    Status set_output_value(size_t i, Value v) override {
        results[i] = std::move(v);
        out_views[i] = results[i].tensor.view();
        outputs_ = out_views;
        return {};
    }
    Status run_graph(uint32_t graph, std::span<const Value> inputs, std::vector<Value>* outputs) override {
        return body(graph, inputs, outputs);
    }
};

Result<std::vector<Value>> run(const char* op_name, std::vector<graph::Attr> attrs, std::vector<Value> inputs,
                               size_t outputs, Body body = {}) {
    const ops::Op* op = ops::find(op_name);
    REQUIRE(op);
    graph::Node node;
    node.op = op_name;
    node.attrs = std::move(attrs);
    for (size_t i = 0; i < inputs.size(); ++i) {
        const bool absent = inputs[i].kind == ValueKind::kTensor && !inputs[i].tensor.valid();
        node.inputs.push_back(absent ? graph::kAbsent : static_cast<graph::ValueId>(i));
    }
    for (size_t i = 0; i < outputs; ++i) node.outputs.push_back(static_cast<graph::ValueId>(100 + i));
    COFFER_TRY(ops::check_node(*op, node));
    Run c(*op->facts, node);
    c.body = std::move(body);
    c.in = std::move(inputs);
    for (const Value& v : c.in) c.in_views.push_back(v.tensor.view());
    c.results.resize(outputs);
    c.out_views.resize(outputs);
    c.inputs_ = c.in_views;
    c.outputs_ = c.out_views;
    COFFER_TRY(op->reference(c));
    return std::move(c.results);
}

// Counts how often the subgraph is inferred.
struct Infer final : ops::InferContext {
    using InferContext::InferContext;
    std::function<void(std::span<const ops::Type>, std::span<ops::Type>)> body;
    int rounds = 0;

    Status infer_graph(uint32_t, std::span<const ops::Type> inputs, std::span<ops::Type> outputs) override {
        ++rounds;
        body(inputs, outputs);
        return {};
    }
};

ops::Type tensor(DType dtype, const Shape& shape) {
    return {ValueKind::kTensor, dtype, shape, true};
}

Value number(int64_t x) {
    return Value(Tensor::scalar(x));
}
Value truth(bool x) {
    return Value(Tensor::scalar(x));
}
int64_t whole(const Value& v) {
    return load_int(v.tensor.view(), 0);
}
const graph::Attr kBody{"body", graph::GraphRef{1}};

}  // namespace

TEST_CASE("If runs the branch its condition names, with the captures") {
    const std::vector<graph::Attr> attrs{
        {"then_branch", graph::GraphRef{1}}, {"else_branch", graph::GraphRef{2}}, {"captures", int64_t{1}}};
    const Body body = [](uint32_t graph, std::span<const Value> in, std::vector<Value>* out) -> Status {
        *out = {number(whole(in[0]) * int64_t{graph})};
        return {};
    };
    CHECK(whole(run("If", attrs, {truth(true), number(7)}, 1, body).value()[0]) == 7);
    CHECK(whole(run("If", attrs, {truth(false), number(7)}, 1, body).value()[0]) == 14);
}

TEST_CASE("Loop carries values and stacks scan outputs") {
    const Body body = [](uint32_t, std::span<const Value> in, std::vector<Value>* out) -> Status {
        const int64_t sum = whole(in[2]) + whole(in[0]) + whole(in[3]);
        *out = {truth(sum < 100), number(sum), number(whole(in[0]) * 10)};
        return {};
    };
    const std::vector<graph::Attr> attrs{kBody, {"captures", int64_t{1}}};
    const auto counted = run("Loop", attrs, {number(4), truth(true), number(1), number(2)}, 2, body);
    REQUIRE(counted.ok());
    CHECK(whole((*counted)[0]) == 1 + 6 + 4 * 2);
    CHECK(same((*counted)[1].tensor, values<int64_t>({0, 10, 20, 30})));
    const auto stopped =
        run("Loop", attrs, {Value(), Value(), number(1), number(2)}, 2, body);  // until the sum is 100
    REQUIRE(stopped.ok());
    CHECK(whole((*stopped)[0]) >= 100);
    const auto never = run("Loop", attrs, {number(5), truth(false), number(1), number(2)}, 2, body);
    REQUIRE(never.ok());
    CHECK(whole((*never)[0]) == 1);
    CHECK((*never)[1].tensor.shape() == Shape{0});
}

TEST_CASE("a loop of endless trips ends at the memory cap or when cancelled") {
    int64_t trips = 0;
    const Body grow = [&](uint32_t, std::span<const Value>, std::vector<Value>* out) -> Status {
        ++trips;
        *out = {truth(true), number(1)};
        return {};
    };
    const auto full = run("Loop", {kBody}, {number(INT64_MAX), truth(true)}, 1, grow);
    REQUIRE_FALSE(full.ok());
    CHECK(full.error().code() == Code::kLimit);
    CHECK(trips < (1 << 22));
    const Body cancelled = [&](uint32_t, std::span<const Value>, std::vector<Value>*) -> Status {
        return error(Code::kCancelled, "stop");
    };
    CHECK(run("Loop", {kBody}, {number(INT64_MAX), truth(true)}, 1, cancelled).error().code() == Code::kCancelled);
    const Body changing = [&](uint32_t, std::span<const Value> in, std::vector<Value>* out) -> Status {
        *out = {truth(true), Value(empty(DType::kFloat, Shape{whole(in[0]) + 1}))};
        return {};
    };
    CHECK(run("Loop", {kBody}, {number(3), truth(true)}, 1, changing).error().message().find("changes from (1)") !=
          std::string::npos);
    CHECK_FALSE(run("Loop", {kBody, {"captures", int64_t{3}}}, {number(3), truth(true)}, 1, grow).ok());
}

TEST_CASE("Scan walks slices in either direction along any axis") {
    const Body body = [](uint32_t, std::span<const Value> in, std::vector<Value>* out) -> Status {
        const float x = in[1].tensor.span<float>()[0] + in[1].tensor.span<float>()[1];
        const Tensor sum = Tensor::scalar(in[0].tensor.span<float>()[0] + x);
        *out = {Value(sum), Value(sum)};
        return {};
    };
    const Value x(values<float>(Shape{2, 3}, {1, 2, 3, 10, 20, 30}));
    const std::vector<graph::Attr> attrs{kBody,
                                         {"num_scan_inputs", int64_t{1}},
                                         {"scan_input_axes", PrivateVector<int64_t>{1}},
                                         {"scan_input_directions", PrivateVector<int64_t>{1}}};
    const auto r = run("Scan", attrs, {Value(Tensor::scalar(0.0f)), x}, 2, body);
    REQUIRE(r.ok());
    CHECK(same((*r)[0].tensor, Tensor::scalar(66.0f)));
    CHECK(same((*r)[1].tensor, values<float>({33, 55, 66})));
    auto bad = attrs;
    bad[2].value = PrivateVector<int64_t>{2};
    CHECK(run("Scan", bad, {Value(Tensor::scalar(0.0f)), x}, 2, body).error().message().find("axis 2") !=
          std::string::npos);
    bad[1].value = int64_t{5};
    CHECK_FALSE(run("Scan", bad, {Value(Tensor::scalar(0.0f)), x}, 2, body).ok());
}

TEST_CASE("sequences are built, changed and joined") {
    const auto built = run("SequenceConstruct", {}, {Value(values<float>({1})), Value(values<float>({2, 3}))}, 1);
    REQUIRE(built.ok());
    const Value& s = (*built)[0];
    CHECK(s.items.size() == 2);
    const Value inserted = run("SequenceInsert", {}, {s, Value(values<float>({9})), number(-1)}, 1).value()[0];
    CHECK(same(inserted.items[1].tensor, values<float>({9})));
    CHECK(same(run("SequenceAt", {}, {inserted, number(-1)}, 1).value()[0].tensor, values<float>({2, 3})));
    CHECK(run("SequenceAt", {}, {s, number(2)}, 1).error().message().find("position 2") != std::string::npos);
    CHECK(run("SequenceErase", {}, {s, number(-3)}, 1).error().message().find("position -3") != std::string::npos);
    CHECK(run("SequenceErase", {}, {inserted}, 1).value()[0].items.size() == 2);
    const std::vector<graph::Attr> axis{{"axis", int64_t{0}}};
    CHECK(same(run("ConcatFromSequence", axis, {s}, 1).value()[0].tensor, values<float>({1, 2, 3})));
    CHECK_FALSE(run("ConcatFromSequence", {{"axis", int64_t{0}}, {"new_axis", int64_t{1}}}, {s}, 1).ok());
    const Value split =
        run("SplitToSequence", {{"keepdims", int64_t{0}}}, {Value(values<float>(Shape{2, 2}, {1, 2, 3, 4}))}, 1)
            .value()[0];
    CHECK(same(split.items[1].tensor, values<float>({3, 4})));
    const Value nothing = run("Optional", {{"dtype", int64_t{1}}}, {}, 1).value()[0];
    CHECK(nothing.items.empty());
    CHECK(run("OptionalGetElement", {}, {nothing}, 1).error().message().find("empty") != std::string::npos);
}

TEST_CASE("slices without elements may be of any number") {
    constexpr int64_t kMany = int64_t{1} << 40;
    const Value x(empty(DType::kFloat, Shape{kMany, 3, 0}));
    const std::vector<graph::Attr> attrs{
        kBody, {"num_scan_inputs", int64_t{1}}, {"scan_input_axes", PrivateVector<int64_t>{1}}};
    const Body one = [](uint32_t, std::span<const Value> in, std::vector<Value>* out) -> Status {
        CHECK(in[0].tensor.shape() == Shape{kMany, 0});
        *out = {Value(Tensor::scalar(1.0f))};
        return {};
    };
    CHECK(same(run("Scan", attrs, {x}, 1, one).value()[0].tensor, values<float>({1, 1, 1})));

    const Value column(empty(DType::kFloat, Shape{kMany, 1, 0}));
    const Value split = run("SplitToSequence", {{"axis", int64_t{1}}}, {column}, 1).value()[0];
    CHECK(split.items.size() == 1);
    CHECK(run("ConcatFromSequence", {{"axis", int64_t{1}}}, {split}, 1).value()[0].tensor.shape() ==
          Shape{kMany, 1, 0});
    // One part has all elements; the others do not cost a look at each row.
    const Value rows(random_of(DType::kUint8, Shape{1000000, 1}, 1));
    Tensor sizes = empty(DType::kInt64, Shape{100001});
    sizes.span<int64_t>()[0] = 1;
    const Value parts = run("SplitToSequence", {{"axis", int64_t{1}}}, {rows, Value(sizes)}, 1).value()[0];
    CHECK(parts.items.size() == 100001);
    CHECK(same(run("ConcatFromSequence", {{"axis", int64_t{1}}}, {parts}, 1).value()[0].tensor, rows.tensor));
}

TEST_CASE("Scan refuses slices that no tensor can be") {
    constexpr int64_t kMany = int64_t{1} << 48;
    graph::Node node{"Scan", "n", {0}, {1}, {kBody, {"num_scan_inputs", int64_t{1}}}};
    const ops::Op& op = *ops::find("Scan");
    Infer c(*op.facts, node);
    c.body = [](auto, auto) { FAIL("inferred"); };
    const std::vector<ops::Type> in{tensor(DType::kFloat, Shape{0, kMany, kMany})};
    std::vector<ops::Type> out(1);
    c.inputs_ = in;
    c.outputs_ = out;
    const Status status = op.infer(c);
    REQUIRE(!status.ok());
    CHECK(status.error().message().find("too large") != std::string::npos);
}

TEST_CASE("Loop infers its body three times at most") {
    // Each carried value has the shape that the one before it had: one more loses its shape in every round.
    constexpr size_t kCarried = 10;
    graph::Node node{"Loop", "n", {graph::kAbsent, graph::kAbsent}, {}, {kBody}};
    std::vector<ops::Type> in(2), out(kCarried);
    for (uint32_t i = 0; i < kCarried; ++i) {
        node.inputs.push_back(2 + i);
        node.outputs.push_back(100 + i);
        in.push_back(tensor(DType::kFloat, Shape{1}));
    }
    const ops::Op& op = *ops::find("Loop");
    Infer c(*op.facts, node);
    c.body = [](std::span<const ops::Type> types, std::span<ops::Type> results) {
        results[0] = tensor(DType::kBool, Shape{});
        results[1] = tensor(DType::kFloat, Shape{2});
        for (size_t i = 1; i < kCarried; ++i) results[1 + i] = types[2 + i - 1];
    };
    c.inputs_ = in;
    c.outputs_ = out;
    REQUIRE(op.infer(c).ok());
    CHECK(c.rounds == 3);
    for (const ops::Type& t : out) CHECK_FALSE(t.shape_known);

    c.rounds = 0;
    c.body = [](std::span<const ops::Type> types, std::span<ops::Type> results) {
        results[0] = tensor(DType::kBool, Shape{});
        results[1] = tensor(DType::kFloat, Shape{2});
        for (size_t i = 1; i < kCarried; ++i) results[1 + i] = types[2 + i];
    };
    REQUIRE(op.infer(c).ok());
    CHECK(c.rounds == 2);
    CHECK_FALSE(out[0].shape_known);
    CHECK(out[1].shape_known);  // the others keep theirs
}

TEST_CASE("SequenceMap makes no sequences of sequences") {
    const Value two = run("SequenceConstruct", {}, {number(1), number(2)}, 1).value()[0];
    const Body nested = [&](uint32_t, std::span<const Value>, std::vector<Value>* out) -> Status {
        *out = {two};
        return {};
    };
    const auto result = run("SequenceMap", {kBody}, {two}, 1, nested);
    REQUIRE_FALSE(result.ok());
    CHECK(result.error().message().find("not a tensor") != std::string::npos);
}

TEST_CASE("text that a loop collects is within the memory limit") {
    const auto budget = std::make_shared<MemoryBudget>(1 << 20);
    int64_t trips = 0;
    const Body talk = [&](uint32_t, std::span<const Value>, std::vector<Value>* out) -> Status {
        ++trips;
        const Tensor t = empty(DType::kString, Shape{1});
        t.span<PrivateString>()[0] = PrivateString(10000, 'a');
        *out = {truth(true), Value(t)};
        return {};
    };
    {
        const BudgetScope scope(budget);
        CHECK_THROWS_AS(run("Loop", {kBody}, {number(1000), truth(true)}, 1, talk), std::bad_alloc);
    }
    CHECK(trips > 90);
    CHECK(trips < 110);
    CHECK(budget->charge(budget->limit()));  // all of it came back
}
