#include <limits>

#include "ops/run_op.hpp"

using namespace coffer;
using namespace coffer::testing;

namespace {

constexpr float kInf = std::numeric_limits<float>::infinity();
constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();

struct Range {
    const char* op;
    float low, high;
};
// Ops with a float32 kernel and where to try them.
constexpr Range kFast[] = {{"Abs", -9, 9},
                           {"Neg", -9, 9},
                           {"Ceil", -9, 9},
                           {"Floor", -9, 9},
                           {"Round", -9, 9},
                           {"Sign", -9, 9},
                           {"Reciprocal", 1, 9},
                           {"Sqrt", 0, 9},
                           {"Exp", -20, 20},
                           {"Log", 0.01f, 90},
                           {"Erf", -5, 5},
                           {"Sin", -30, 30},
                           {"Cos", -30, 30},
                           {"Tanh", -12, 12},
                           {"Sigmoid", -30, 30},
                           {"Relu", -9, 9},
                           {"LeakyRelu", -9, 9},
                           {"Elu", -30, 9},
                           {"Celu", -30, 9},
                           {"Selu", -30, 9},
                           {"Softplus", -30, 30},
                           {"Softsign", -9, 9},
                           {"HardSwish", -9, 9},
                           {"HardSigmoid", -9, 9},
                           {"Mish", -30, 40},
                           {"Gelu", -9, 9},
                           {"Swish", -30, 30},
                           {"ThresholdedRelu", -3, 3},
                           {"Clip", -9, 9},
                           {"IsNaN", -1, 1},
                           {"com.microsoft::Gelu", -9, 9},
                           {"com.microsoft::QuickGelu", -9, 9},
                           {"com.microsoft::FastGelu", -9, 9}};

}  // namespace

TEST_CASE("fast unary ops agree with their references, tails and special values included") {
    for (const Range& r : kFast) {
        if (!ops::find(r.op)) continue;
        for (const int64_t n : {1, 7, 8, 33, 4096, 9001}) {
            CHECK(check_fast({.op = r.op, .inputs = {random_tensor(Shape{n}, 1, r.low, r.high)}}) > 0);
        }
        CHECK(check_fast({.op = r.op, .inputs = {empty(DType::kFloat, Shape{0, 3})}}) > 0);
        CHECK(check_fast({.op = r.op, .inputs = {values<float>(Shape{}, {0.5f})}}) > 0);
        CHECK(check_fast({.op = r.op, .inputs = {random_tensor(Shape{2, 3, 4, 5}, 2, r.low, r.high)}},
                         ops::Layout::kChannelsLast) > 0);
        const std::string name = r.op;
        // -inf times what a sigmoid makes of it has no value to agree on.
        const bool sigmoid =
            name == "Swish" || name == "com.microsoft::QuickGelu" || name == "com.microsoft::FastGelu";
        const float low = sigmoid ? -100 : -kInf;
        // Far arguments of the trigonometric functions are not a number of their own on every instruction set.
        if (name != "Sin" && name != "Cos") {
            CHECK(check_fast({.op = r.op, .inputs = {values<float>({kNaN, kInf, low, 0.0f, -0.0f, 1e-40f})}}) > 0);
        }
    }
}

TEST_CASE("gelu by tanh") {
    const NodeCase gelu{.op = "Gelu",
                        .attrs = {{"approximate", std::string("tanh")}},
                        .inputs = {random_tensor(Shape{100}, 3, -6, 6)}};
    CHECK(check_fast(gelu) > 0);
}

TEST_CASE("integers keep every bit") {
    constexpr int64_t big = std::numeric_limits<int64_t>::max(), low = std::numeric_limits<int64_t>::min();
    CHECK(reference({.op = "Abs", .inputs = {values<int64_t>({low, -big, 5})}})[0].span<int64_t>()[1] == big);
    CHECK(reference({.op = "Abs", .inputs = {values<int64_t>({low})}})[0].span<int64_t>()[0] == low);
    CHECK(reference({.op = "Neg", .inputs = {values<int64_t>({big - 1})}})[0].span<int64_t>()[0] == 1 - big);
    CHECK(reference({.op = "Relu", .inputs = {values<int64_t>({big, low})}})[0].span<int64_t>()[0] == big);
    const auto sign = reference({.op = "Sign", .inputs = {values<uint64_t>({0, ~uint64_t{0}})}});
    CHECK(same(sign[0], values<uint64_t>({0, 1})));
    CHECK(same(reference({.op = "BitwiseNot", .inputs = {values<uint8_t>({0, 255, 1})}})[0],
               values<uint8_t>({255, 0, 254})));
    const auto clipped = reference({.op = "Clip",
                                    .inputs = {values<uint64_t>({3, ~uint64_t{0}}), values<uint64_t>(Shape{}, {5}),
                                               values<uint64_t>(Shape{}, {~uint64_t{0} - 1})}});
    CHECK(clipped[0].span<uint64_t>()[0] == 5);
    CHECK(clipped[0].span<uint64_t>()[1] == ~uint64_t{0} - 1);
}

TEST_CASE("rounding is to even, and the sign of a NaN operand does not matter") {
    CHECK(same(reference({.op = "Round", .inputs = {values<float>({0.5f, 1.5f, 2.5f, -0.5f, -1.5f, kInf, kNaN})}})[0],
               values<float>({0, 2, 2, 0, -2, kInf, kNaN})));
    CHECK(same(reference({.op = "Relu", .inputs = {values<float>({kNaN, -kInf, kInf})}})[0],
               values<float>({kNaN, 0, kInf})));
    CHECK(same(reference({.op = "Sign", .inputs = {values<float>({kNaN, -2, 0, 3})}})[0],
               values<float>({kNaN, -1, 0, 1})));
    CHECK(same(reference({.op = "Celu", .inputs = {values<float>({kInf, -kInf})}})[0], values<float>({kInf, -1})));
}

TEST_CASE("clip: max wins over min, NaN stays, bounds may be absent") {
    const Tensor x = values<float>({-5, 0, 5, kNaN}), low = values<float>(Shape{}, {2}), high = values<float>({1});
    for (const NodeCase& c :
         {NodeCase{.op = "Clip", .inputs = {x, low, high}}, NodeCase{.op = "Clip", .inputs = {x, {}, high}},
          NodeCase{.op = "Clip", .inputs = {x, low}}, NodeCase{.op = "Clip", .inputs = {x}}}) {
        CHECK(check_fast(c) > 0);
    }
    CHECK(same(reference({.op = "Clip", .inputs = {x, low, high}})[0], values<float>({1, 1, 1, kNaN})));
}

TEST_CASE("infinities are told apart") {
    const Tensor x = values<float>({kInf, -kInf, kNaN, 1});
    const auto only = [&](const char* off) {
        return reference({.op = "IsInf", .attrs = {{off, int64_t{0}}}, .inputs = {x}})[0];
    };
    CHECK(same(only("detect_negative"), values<bool>({true, false, false, false})));
    CHECK(same(only("detect_positive"), values<bool>({false, true, false, false})));
    CHECK(same(reference({.op = "Not", .inputs = {values<bool>({true, false})}})[0], values<bool>({false, true})));
}

TEST_CASE("half precision goes through the same formulas") {
    Tensor x = empty(DType::kFloat16, Shape{3});
    for (int64_t i = 0; i < 3; ++i) store_double(x.view(), i, static_cast<double>(i - 1));
    const auto y = reference({.op = "Sigmoid", .inputs = {x}});
    CHECK(y[0].dtype() == DType::kFloat16);
    CHECK(load_double(y[0].view(), 2) == Approx(0.7310585786).epsilon(1e-3));
}

TEST_CASE("identity copies strings") {
    const Tensor x = values<PrivateString>({"a", PrivateString(100, 'b')});
    CHECK(reference({.op = "Identity", .inputs = {x}})[0].span<PrivateString>()[1] == PrivateString(100, 'b'));
}

TEST_CASE("unary ops refuse what they cannot do, by name") {
    const Tensor f = values<float>({1}), i = values<int32_t>({1});
    CHECK_THAT(refusal({.op = "Exp", .inputs = {i}}), Catch::Contains("input 0 cannot be of type int32"));
    CHECK_THAT(refusal({.op = "Not", .inputs = {f}}), Catch::Contains("float32"));
    CHECK_THAT(refusal({.op = "BitwiseNot", .inputs = {f}}), Catch::Contains("float32"));
    CHECK_THAT(refusal({.op = "Gelu", .attrs = {{"approximate", std::string("magic")}}, .inputs = {f}}),
               Catch::Contains("'magic'"));
    CHECK_THAT(refusal({.op = "Clip", .inputs = {f, values<float>({1, 2})}}), Catch::Contains("(2)"));
    CHECK_THAT(refusal({.op = "Clip", .inputs = {f, i}}), Catch::Contains("(float32, int32)"));
    CHECK_THAT(refusal({.op = "LeakyRelu", .attrs = {{"alpha", int64_t{1}}}, .inputs = {f}}),
               Catch::Contains("alpha"));
    CHECK_THAT(refusal({.op = "Abs", .inputs = {f, f}}), Catch::Contains("1 inputs"));
}
