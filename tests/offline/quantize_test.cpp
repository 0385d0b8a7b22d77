// Quantization of small float graphs, and quantized patterns becoming integer nodes: results stay within a few
// steps of the float graph; bad data is named.
#include <cmath>
#include <filesystem>
#include <numeric>
#include <random>

#include "catch.hpp"
#include "folder.hpp"
#include "offline/calibrate/histogram.hpp"
#include "offline/npy.hpp"
#include "offline/passes/passes.hpp"
#include "offline/quantize/quantize.hpp"
#include "runtime/runner.hpp"

namespace coffer {
namespace {

using offline::Histogram;
using offline::QuantizeOptions;

Tensor random_floats(const Shape& shape, uint32_t seed, float spread = 1) {
    Tensor t = Tensor::create(DType::kFloat, shape).value();
    std::mt19937 random(seed);
    std::normal_distribution<float> normal(0, spread);
    for (float& v : t.span<float>()) v = normal(random);
    return t;
}

// x (1, 4, 8, 8) -> Conv -> Relu -> Conv, + the Relu -> y
graph::Model small_network() {
    graph::Model m;
    graph::Graph& g = m.graphs.emplace_back();
    const Shape shape{1, 4, 8, 8};
    const auto value = [&](const char* name) { return g.add_value(name, graph::Type::tensor(DType::kFloat, shape)); };
    const graph::ValueId x = value("x"), a = value("a"), b = value("b"), c = value("c"), y = value("y");
    g.inputs = {x};
    g.outputs = {y};
    const auto w1 = m.add_constant(g, "w1", random_floats(Shape{4, 4, 3, 3}, 1, 0.3f));
    const auto w2 = m.add_constant(g, "w2", random_floats(Shape{4, 4, 3, 3}, 2, 0.3f));
    const auto b1 = m.add_constant(g, "b1", random_floats(Shape{4}, 3));
    const std::vector<graph::Attr> attrs = {{"pads", PrivateVector<int64_t>{1, 1, 1, 1}}};
    g.nodes.push_back({"Conv", "first", {x, w1, b1}, {a}, attrs});
    g.nodes.push_back({"Relu", "relu", {a}, {b}, {}});
    g.nodes.push_back({"Conv", "second", {b, w2}, {c}, attrs});
    g.nodes.push_back({"Add", "sum", {c, b}, {y}, {}});
    return m;
}

std::vector<float> run(const graph::Model& model, const Tensor& x) {
    auto shared = runtime::Model::create(model);
    if (!shared.ok()) FAIL(shared.error().message());
    auto runner = runtime::Runner::create(*shared).value();
    REQUIRE(runner->bind_input(0, Value(x)).ok());
    const Status ran = runner->run();
    if (!ran.ok()) FAIL(ran.error().message());
    const auto floats = runner->output(0).tensor.span<const float>();
    return {floats.begin(), floats.end()};
}

double snr_db(const std::vector<float>& wanted, const std::vector<float>& got) {
    REQUIRE(wanted.size() == got.size());
    double signal = 0, noise = 0;
    for (size_t i = 0; i < wanted.size(); ++i) {
        signal += wanted[i] * wanted[i];
        noise += (wanted[i] - got[i]) * (wanted[i] - got[i]);
    }
    return 10 * std::log10(signal / noise);
}

size_t count(const graph::Model& m, std::string_view op) {
    return static_cast<size_t>(
        std::ranges::count_if(m.graphs[0].nodes, [&](const graph::Node& n) { return n.op == op; }));
}

struct Folder : coffer::test::Folder {
    void add(const std::string& name, const Tensor& t) const {
        REQUIRE(offline::write_npy(*this / name, t.view()).ok());
    }
};

// "" when it worked.
std::string quantize(graph::Model& m, const QuantizeOptions& options, std::vector<std::string>* notes = nullptr) {
    std::vector<std::string> ignored;
    REQUIRE(offline::optimize(m).ok());
    const Status done = offline::quantize(m, options, notes ? *notes : ignored);
    if (!done.ok()) return done.error().message();
    offline::compact(m);
    REQUIRE(graph::verify(m).ok());
    return "";
}

}  // namespace

TEST_CASE("quantize: dynamic") {
    graph::Model m = small_network();
    const Tensor x = random_floats(Shape{1, 4, 8, 8}, 9);
    const auto wanted = run(m, x);
    REQUIRE(quantize(m, {.dynamic = true, .data = "", .synthetic = false}) == "");
    CHECK(count(m, "ai.coffer::QConv") == 2);
    CHECK(snr_db(wanted, run(m, x)) > 30);
}

TEST_CASE("quantize: static, integers between layers") {
    Folder folder;
    for (uint32_t i = 0; i < 8; ++i) folder.add(std::to_string(i) + ".npy", random_floats(Shape{1, 4, 8, 8}, 20 + i));
    graph::Model m = small_network();
    const Tensor x = random_floats(Shape{1, 4, 8, 8}, 9);
    const auto wanted = run(m, x);
    REQUIRE(quantize(m, {.dynamic = false, .data = folder.path(), .synthetic = false}) == "");
    CHECK(count(m, "ai.coffer::QConv") == 2);
    CHECK(count(m, "Relu") == 0);
    CHECK(snr_db(wanted, run(m, x)) > 25);
    for (const graph::Constant& c : m.constants) {
        if (c.tensor.dtype() != DType::kInt8) continue;
        for (const int8_t v : c.tensor.span<const int8_t>()) CHECK(v >= -127);
    }
}

TEST_CASE("quantize: constant activations keep their value") {
    Folder folder;
    folder.add("0.npy", Tensor::create(DType::kFloat, Shape{1, 4, 8, 8}).value());  // zeros
    graph::Model m = small_network();
    const Tensor x = Tensor::create(DType::kFloat, Shape{1, 4, 8, 8}).value();
    const auto wanted = run(m, x);
    REQUIRE(quantize(m, {.dynamic = false, .data = folder.path(), .synthetic = false}) == "");
    CHECK(snr_db(wanted, run(m, x)) > 25);
}

namespace {

// x -> Exp -> MatMul -> y: the input of the layer has outliers, and no integers come from further up.
graph::Model outliers_network() {
    graph::Model m;
    graph::Graph& g = m.graphs.emplace_back();
    const graph::ValueId x = g.add_value("x", graph::Type::tensor(DType::kFloat, Shape{16, 64}));
    const graph::ValueId a = g.add_value("a", graph::Type::tensor(DType::kFloat, Shape{16, 64}));
    const graph::ValueId y = g.add_value("y", graph::Type::tensor(DType::kFloat, Shape{16, 32}));
    g.inputs = {x};
    g.outputs = {y};
    const auto w = m.add_constant(g, "w", random_floats(Shape{64, 32}, 1, 0.3f));
    g.nodes.push_back({"Exp", "exp", {x}, {a}, {}});
    g.nodes.push_back({"MatMul", "layer", {a, w}, {y}, {}});
    return m;
}

}  // namespace

TEST_CASE("quantize: an input with outliers is taken in two parts") {
    Folder folder;
    for (uint32_t i = 0; i < 4; ++i) {
        folder.add(std::to_string(i) + ".npy", random_floats(Shape{16, 64}, 20 + i, 2));
    }
    const Tensor x = random_floats(Shape{16, 64}, 9, 2);
    const auto wanted = run(outliers_network(), x);
    graph::Model plain = outliers_network(), m = outliers_network();
    REQUIRE(quantize(plain, {.dynamic = true, .data = "", .synthetic = false}) == "");
    std::vector<std::string> notes;
    REQUIRE(quantize(m, {.dynamic = false, .data = folder.path(), .synthetic = false}, &notes) == "");
    CHECK(notes.back().find("1 with 16-bit input") != std::string::npos);
    CHECK(count(m, "ai.coffer::QMatMul") == 2);
    CHECK(std::ranges::count_if(m.constants, [](const auto& c) { return c.tensor.dtype() == DType::kInt8; }) == 1);
    const auto got = run(m, x);
    CHECK(snr_db(wanted, got) > snr_db(wanted, run(plain, x)) + 6);
    // Beyond all that was seen: the second part finds its range at run time.
    const Tensor far = random_floats(Shape{16, 64}, 10, 3);
    CHECK(snr_db(run(outliers_network(), far), run(m, far)) > 25);
}

TEST_CASE("passes: a product with one-hot rows is a lookup") {
    constexpr int64_t kClasses = 5;
    graph::Model m;
    graph::Graph& g = m.graphs.emplace_back();
    const graph::ValueId ids = g.add_value("ids", graph::Type::tensor(DType::kInt32, Shape{2, 4, 1}));
    graph::ValueId expanded = ids;
    g.inputs = {ids};
    std::vector<int32_t> numbers(kClasses);
    std::iota(numbers.begin(), numbers.end(), 0);
    bool lookup = true;
    SECTION("as it is") {}
    SECTION("expanded") {
        Tensor shape = Tensor::create(DType::kInt64, Shape{3}).value();
        std::ranges::copy(std::vector<int64_t>{2, 4, kClasses}, shape.span<int64_t>().begin());
        expanded = g.add_value("expanded", graph::Type::tensor(DType::kInt32, Shape{2, 4, kClasses}));
        const auto to = m.add_constant(g, "to", std::move(shape));
        g.nodes.push_back({"Expand", "expand", {ids, to}, {expanded}, {}});
    }
    SECTION("not when the numbers do not count up") {
        std::swap(numbers[1], numbers[3]);
        lookup = false;
    }
    Tensor range = Tensor::create(DType::kInt32, Shape{1, 1, kClasses}).value();
    std::ranges::copy(numbers, range.span<int32_t>().begin());
    const auto value = [&](const char* name, DType type, int64_t last) {
        return g.add_value(name, graph::Type::tensor(type, Shape{2, 4, last}));
    };
    const graph::ValueId same = value("same", DType::kBool, kClasses), rows = value("rows", DType::kFloat, kClasses);
    const graph::ValueId y = value("y", DType::kFloat, 3);
    g.outputs = {y};
    const auto counting = m.add_constant(g, "range", std::move(range));
    const auto w = m.add_constant(g, "w", random_floats(Shape{kClasses, 3}, 1));
    g.nodes.push_back({"Equal", "equal", {expanded, counting}, {same}, {}});
    g.nodes.push_back({"Cast", "cast", {same}, {rows}, {{"to", static_cast<int64_t>(DType::kFloat)}}});
    g.nodes.push_back({"MatMul", "product", {rows, w}, {y}, {}});

    Tensor x = Tensor::create(DType::kInt32, Shape{2, 4, 1}).value();
    std::ranges::copy(std::vector<int32_t>{0, 4, 2, 1, -1, 5, INT32_MAX, INT32_MIN}, x.span<int32_t>().begin());
    const auto wanted = run(m, x);
    REQUIRE(offline::optimize(m).ok());
    CHECK(count(m, "Gather") == (lookup ? 1 : 0));
    CHECK(count(m, "MatMul") == (lookup ? 0 : 1));
    CHECK(run(m, x) == wanted);
}

TEST_CASE("quantize: made-up samples are announced") {
    graph::Model m = small_network();
    std::vector<std::string> notes;
    REQUIRE(quantize(m, {.dynamic = false, .data = "", .synthetic = true}, &notes) == "");
    CHECK(notes.back().find("unverified") != std::string::npos);
}

TEST_CASE("quantize: bad data is named") {
    Folder folder;
    const QuantizeOptions options{.dynamic = false, .data = folder.path(), .synthetic = false};
    graph::Model m = small_network();
    SECTION("no folder") {
        CHECK(
            quantize(m, {.dynamic = false, .data = "/no/such/folder", .synthetic = false}).find("/no/such/folder") !=
            std::string::npos);
    }
    SECTION("no choice") {
        CHECK(quantize(m, {}).find("samples") != std::string::npos);
    }
    SECTION("empty folder") {
        CHECK(quantize(m, options).find("no .npy files") != std::string::npos);
    }
    SECTION("wrong shape") {
        folder.add("odd.npy", random_floats(Shape{1, 3, 8, 8}, 1));
        CHECK(quantize(m, options).find("odd.npy") != std::string::npos);
    }
    SECTION("missing input in a sample's folder") {
        std::filesystem::create_directories(folder / "one");
        const std::string message = quantize(m, options);
        CHECK(message.find("one/x.npy") != std::string::npos);
    }
    SECTION("NaN names sample and layer") {
        Tensor x = random_floats(Shape{1, 4, 8, 8}, 1);
        x.span<float>()[5] = NAN;
        folder.add("nan.npy", x);
        const std::string message = quantize(m, options);
        CHECK(message.find("nan.npy") != std::string::npos);
        CHECK(message.find("input 'x'") != std::string::npos);
    }
}

TEST_CASE("histogram: range doubling keeps every value") {
    Histogram h;
    std::vector<float> small(1000, 0.01f), large(10, -50.0f), zeros(100, 0.0f);
    REQUIRE(h.add(small));
    REQUIRE(h.add(zeros));
    REQUIRE(h.add(large));
    CHECK(h.count() == 1110);
    CHECK(h.extremes().low == -50.0f);
    CHECK(h.extremes().high == 0.01f);
    CHECK(h.percentile(0.5).low > -1);
    CHECK_FALSE(h.add(std::vector<float>{1, INFINITY}));
    CHECK(h.count() == 1110);
}

TEST_CASE("histogram: the best range cuts a lone outlier and nothing else") {
    Histogram tail, flat;
    std::vector<float> values;
    for (int i = 0; i < 100000; ++i) values.push_back(std::sin(static_cast<float>(i)));
    REQUIRE(flat.add(values));
    CHECK(flat.best().high > 0.95f);
    values.push_back(8);
    REQUIRE(tail.add(values));
    CHECK(tail.best().high < 7.5f);
    CHECK(tail.error(tail.best()) < tail.error(tail.extremes()));
}

}  // namespace coffer
