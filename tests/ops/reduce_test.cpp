#include <limits>

#include "ops/run_op.hpp"

using namespace coffer;
using namespace coffer::testing;

namespace {

constexpr float kInf = std::numeric_limits<float>::infinity();
constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();
constexpr int64_t kBig = std::numeric_limits<int64_t>::max(), kLow = std::numeric_limits<int64_t>::min();

NodeCase reduce(const char* op, Tensor x, std::vector<int64_t> axes, int64_t keepdims = 1) {
    Tensor list = Tensor::create(DType::kInt64, Shape{static_cast<int64_t>(axes.size())}).value();
    std::copy(axes.begin(), axes.end(), list.view().as<int64_t>());
    return {.op = op, .attrs = {{"keepdims", keepdims}}, .inputs = {std::move(x), list}, .constant = {false, true}};
}

}  // namespace

TEST_CASE("fast reductions agree with the reference over inner, outer, middle and mixed axes") {
    const struct {
        Shape shape;
        std::vector<std::vector<int64_t>> axes;
    } table[] = {{{5, 300}, {{1}, {0}, {-1, 0}, {}}},
                 {{3, 7, 37}, {{1}, {0, 2}, {2}, {0, 1}}},
                 {{2, 3, 4, 5}, {{0, 2}, {1, 3}, {2, 3}, {1}, {-1}}},
                 {{2, 1, 3, 1}, {{1}, {3}, {0, 1, 2, 3}}},
                 {{20000}, {{0}}},
                 {{40, 1000}, {{0}, {1}}},
                 {{}, {{}}}};
    for (const char* op :
         {"ReduceSum", "ReduceMean", "ReduceMax", "ReduceMin", "ReduceL1", "ReduceL2", "ReduceSumSquare"}) {
        if (!ops::find(op)) continue;
        for (const auto& row : table) {
            for (const auto& axes : row.axes) {
                for (const int64_t keepdims : {0, 1}) {
                    CHECK(check_fast(reduce(op, random_tensor(row.shape, 1, 0.5f, 2), axes, keepdims)) > 0);
                }
            }
        }
        for (const std::vector<int64_t>& axes : {std::vector<int64_t>{2, 3}, {1}, {0, 2}, {3}}) {
            CHECK(check_fast(reduce(op, random_tensor({2, 19, 4, 5}, 2, 0.5f, 2), axes), ops::Layout::kChannelsLast) >
                  0);
        }
    }
}

TEST_CASE("a long sum does not drift") {
    Tensor x = Tensor::create(DType::kFloat, {1 << 20}).value();
    for (float& v : x.span<float>()) v = 0.1f;
    CHECK(check_fast(reduce("ReduceSum", x, {0})) > 0);
    CHECK(check_fast(reduce("ReduceMean", x, {0})) > 0);
}

TEST_CASE("NaN and infinities pass through reductions") {
    const Tensor x = values<float>({2, 3}, {1, kNaN, 2, kInf, 0, -kInf});
    for (const char* op : {"ReduceSum", "ReduceMax", "ReduceMin", "ReduceMean", "ReduceL2"}) {
        for (const int64_t axis : {0, 1}) CHECK(check_fast(reduce(op, x, {axis})) > 0);
    }
    CHECK(same(reference(reduce("ReduceMax", x, {1}, 0))[0], values<float>({kNaN, kInf})));
    CHECK(same(reference(reduce("ReduceLogSumExp", values<float>({-kInf, -kInf}), {0}, 0))[0],
               values<float>(Shape{}, {-kInf})));
    CHECK(same(reference(reduce("ReduceLogSumExp", values<float>({1000, 1000}), {0}, 0))[0],
               values<float>(Shape{}, {1000.6931f})));
}

TEST_CASE("empty sets give the neutral element") {
    const auto of = [](const char* op, DType t) {
        return load_double(reference(reduce(op, empty(t, {0}), {0}))[0].view(), 0);
    };
    CHECK(of("ReduceSum", DType::kFloat) == 0);
    CHECK(of("ReduceProd", DType::kFloat) == 1);
    CHECK(of("ReduceMax", DType::kFloat) == -kInf);
    CHECK(of("ReduceMin", DType::kInt32) == std::numeric_limits<int32_t>::max());
    CHECK(of("ReduceMax", DType::kUint8) == 0);
    CHECK(of("ReduceMax", DType::kInt8) == -128);
    CHECK(std::isnan(of("ReduceMean", DType::kFloat)));
    CHECK(of("ReduceMean", DType::kInt64) == 0);
    CHECK(reference(reduce("ReduceSum", empty(DType::kFloat, {0, 3}), {1}))[0].shape() == Shape{0, 1});
    constexpr int64_t kMany = int64_t{1} << 31;
    CHECK(same(reference(reduce("ReduceProd", empty(DType::kFloat, {0, kMany, kMany, kMany}), {0, 1, 2, 3}, 0))[0],
               values<float>(Shape{}, {1})));
}

TEST_CASE("integers are reduced exactly") {
    CHECK(reference(reduce("ReduceSum", values<int64_t>({kBig - 1, 1}), {0}, 0))[0].span<int64_t>()[0] == kBig);
    CHECK(reference(reduce("ReduceSum", values<int64_t>({kBig, 1}), {0}, 0))[0].span<int64_t>()[0] == kLow);
    CHECK(reference(reduce("ReduceMin", values<int64_t>({kLow, kLow + 1}), {0}, 0))[0].span<int64_t>()[0] == kLow);
    CHECK(reference(reduce("ReduceMax", values<uint64_t>({1, ~uint64_t{0}}), {0}, 0))[0].span<uint64_t>()[0] ==
          ~uint64_t{0});
    CHECK(reference(reduce("ReduceMean", values<int32_t>({-3, 0}), {0}, 0))[0].span<int32_t>()[0] == -1);
    CHECK(
        same(reference(reduce("ReduceMax", values<bool>({false, true}), {0}, 0))[0], values<bool>(Shape{}, {true})));
}

TEST_CASE("no axes: all of them, or none") {
    NodeCase c{.op = "ReduceSumSquare", .inputs = {values<float>({2, 3})}};
    CHECK(same(reference(c)[0], values<float>({13})));
    c.attrs.push_back({"noop_with_empty_axes", int64_t{1}});
    CHECK(same(reference(c)[0], values<float>({4, 9})));
    CHECK(check_fast(c) > 0);
    // Axes that are not known before the run.
    NodeCase late = reduce("ReduceSum", values<float>({2, 2}, {1, 2, 3, 4}), {0}, 0);
    late.constant = {};
    CHECK(same(reference(late)[0], values<float>({4, 6})));
    CHECK(check_fast(reduce("ReduceSum", values<float>({2, 2}, {1, 2, 3, 4}), {1})) > 0);
}

TEST_CASE("the index of the largest and smallest") {
    const Tensor x = values<float>({2, 4}, {1, 3, 3, 0, 5, kNaN, 7, kNaN});
    const auto arg = [&](const char* op, int64_t axis, int64_t last) {
        return reference({.op = op,
                          .attrs = {{"axis", axis}, {"select_last_index", last}, {"keepdims", int64_t{0}}},
                          .inputs = {x}})[0];
    };
    CHECK(same(arg("ArgMax", 1, 0), values<int64_t>({1, 1})));
    CHECK(same(arg("ArgMax", -1, 1), values<int64_t>({2, 3})));
    CHECK(same(arg("ArgMin", 0, 0), values<int64_t>({0, 1, 0, 1})));
    CHECK(same(reference({.op = "ArgMax", .inputs = {values<uint64_t>({1, ~uint64_t{0}, 3})}})[0],
               values<int64_t>({1})));
    CHECK(reference({.op = "ArgMax", .attrs = {{"axis", int64_t{1}}}, .inputs = {empty(DType::kFloat, {0, 3})}})[0]
              .shape() == Shape{0, 1});
    CHECK_THAT(refusal({.op = "ArgMax", .inputs = {empty(DType::kFloat, {0, 3})}}),
               Catch::Contains("has no elements"));
    CHECK_THAT(refusal({.op = "ArgMin", .attrs = {{"axis", int64_t{2}}}, .inputs = {x}}), Catch::Contains("axis 2"));
    CHECK_THAT(refusal({.op = "ArgMin", .inputs = {values<float>(Shape{}, {1})}}), Catch::Contains("rank of 0"));
}

TEST_CASE("running sums and products") {
    const auto run = [](const char* op, int64_t exclusive, int64_t reverse, Tensor x, int64_t axis) {
        return reference({.op = op,
                          .attrs = {{"exclusive", exclusive}, {"reverse", reverse}},
                          .inputs = {x, values<int64_t>(Shape{}, {axis})}})[0];
    };
    const Tensor x = values<int64_t>({2, 2}, {1, 2, 3, 4});
    CHECK(same(run("CumSum", 0, 0, x, 0), values<int64_t>({2, 2}, {1, 2, 4, 6})));
    CHECK(same(run("CumSum", 1, 1, x, -1), values<int64_t>({2, 2}, {2, 0, 4, 0})));
    CHECK(same(run("CumProd", 1, 0, x, 1), values<int64_t>({2, 2}, {1, 1, 1, 3})));
    CHECK(run("CumSum", 0, 0, values<int64_t>({kBig, 1}), 0).span<int64_t>()[1] == kLow);
    CHECK(run("CumSum", 0, 0, empty(DType::kFloat, {0, 2}), 0).shape() == Shape{0, 2});
    CHECK_THAT(refusal({.op = "CumSum", .inputs = {x, values<int64_t>(Shape{}, {2})}}), Catch::Contains("axis 2"));
    CHECK_THAT(refusal({.op = "CumSum", .inputs = {x, values<int64_t>({0, 1})}}), Catch::Contains("(2)"));
}

TEST_CASE("reductions refuse bad axes and types") {
    const Tensor x = values<float>({2, 2}, {1, 2, 3, 4});
    CHECK_THAT(refusal(reduce("ReduceSum", x, {2})), Catch::Contains("axis 2 is outside a rank of 2"));
    CHECK_THAT(refusal(reduce("ReduceSum", x, {kLow})), Catch::Contains("outside"));
    CHECK_THAT(refusal(reduce("ReduceSum", x, {0, -2})), Catch::Contains("listed twice"));
    CHECK_THAT(refusal(reduce("ReduceSum", x, {0, 1, 0})), Catch::Contains("3 axes of a rank of 2"));
    CHECK_THAT(refusal(reduce("ReduceSum", values<int8_t>({1}), {0})), Catch::Contains("int8"));
    CHECK_THAT(refusal({.op = "ReduceSum", .inputs = {x, values<float>({0})}}),
               Catch::Contains("axes are of type float32"));
    NodeCase late = reduce("ReduceSum", x, {7});
    late.constant = {};
    CHECK_THAT(refusal(late), Catch::Contains("axis 7"));
}
