// What `compare` calls exact, and that outputs held as state are scored like any other.
#include <complex>
#include <filesystem>
#include <random>

#include "catch.hpp"
#include "offline/compare.hpp"
#include "offline/npy.hpp"

namespace coffer {
namespace {

using offline::Score;

Tensor floats(std::vector<float> values) {
    Tensor t = Tensor::create(DType::kFloat, Shape{static_cast<int64_t>(values.size())}).value();
    std::ranges::copy(values, t.span<float>().begin());
    return t;
}

// y = x + s, t = x * s
graph::Model with_state(bool held) {
    graph::Model m;
    graph::Graph& g = m.graphs.emplace_back();
    const auto value = [&](const char* name) {
        return g.add_value(name, graph::Type::tensor(DType::kFloat, Shape{3}));
    };
    const graph::ValueId x = value("x"), s = value("s"), y = value("y"), t = value("t");
    g.inputs = {x, s};
    g.outputs = {y, t};
    g.nodes.push_back({"Add", "add", {x, s}, {y}, {}});
    g.nodes.push_back({"Mul", "mul", {x, s}, {t}, {}});
    if (held) m.states.push_back({"s", "t", Tensor::create(DType::kFloat, Shape{3}).value()});
    return m;
}

offline::Contender contender(const char* name, bool held) {
    return {name, [held]() -> Result<offline::Loading> {
                COFFER_TRY_ASSIGN(auto model, runtime::Model::create(with_state(held)));
                return offline::Loading{std::move(model), 1};
            }};
}

}  // namespace

TEST_CASE("score: nothing compared is not exact") {
    Score score;
    CHECK_FALSE(score.any());
    CHECK_FALSE(score.exact());
    const Tensor a = floats({1, 2});
    score.add(a.view(), a.view());
    CHECK(score.any());
    CHECK(score.exact());
}

TEST_CASE("score: complex numbers count both parts") {
    Tensor a = Tensor::create(DType::kComplex64, Shape{2}).value(),
           b = Tensor::create(DType::kComplex64, Shape{2}).value();
    auto* left = a.view().as<std::complex<float>>();
    auto* right = b.view().as<std::complex<float>>();
    left[0] = right[0] = {1, 2};
    left[1] = {3, 4};
    right[1] = {3, 4.5f};
    Score same, other;
    same.add(a.view(), a.view());
    other.add(a.view(), b.view());
    CHECK(same.exact());
    CHECK_FALSE(other.exact());
    CHECK(other.max_error() == 0.5);
    CHECK(std::abs(other.snr_db() - 10 * std::log10(30 / 0.25)) < 1e-9);
}

TEST_CASE("compare: what runners hold as state is given by the samples and scored") {
    const auto folder =
        std::filesystem::temp_directory_path() / ("coffer-compare-" + std::to_string(std::random_device()()));
    for (const char* sample : {"0", "1"}) {
        std::filesystem::create_directories(folder / sample);
        const float shift = *sample == '0' ? 1.0f : 5.0f;
        REQUIRE(offline::write_npy((folder / sample / "x.npy").string(), floats({1, 2, 3}).view()).ok());
        REQUIRE(offline::write_npy((folder / sample / "s.npy").string(), floats({shift, 7, 8}).view()).ok());
    }
    const auto result = offline::compare({contender("plain", false), contender("held", true)}, folder.string());
    std::filesystem::remove_all(folder);
    if (!result.ok()) FAIL(result.error().message());
    const auto& outputs = result->entries[1].outputs;
    REQUIRE(outputs.size() == 2);
    for (const auto& output : outputs) {
        INFO(output.name);
        CHECK(output.score.exact());
    }
}

}  // namespace coffer
