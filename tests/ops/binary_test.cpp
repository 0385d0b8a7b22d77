#include <limits>

#include "ops/run_op.hpp"

using namespace coffer;
using namespace coffer::testing;

namespace {

constexpr float kInf = std::numeric_limits<float>::infinity();
constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();
constexpr int64_t kBig = std::numeric_limits<int64_t>::max(), kLow = std::numeric_limits<int64_t>::min();

// Pairs that meet each way of walking: equal, scalar, rows, columns, both broadcast, short rows, empty, rank 0.
struct Pair {
    Shape a, b;
};
const Pair kPairs[] = {{{9001}, {9001}},
                       {{37}, {}},
                       {{}, {37}},
                       {{}, {}},
                       {{5, 40}, {40}},
                       {{5, 40}, {5, 1}},
                       {{5, 1}, {1, 40}},
                       {{2, 3, 20, 20}, {3, 1, 1}},
                       {{2, 3, 20, 20}, {2, 1, 20, 20}},
                       {{1, 3}, {700, 3}},
                       {{300, 3}, {300, 1}},
                       {{4, 1, 5}, {3, 1}},
                       {{2, 1, 2, 1, 2, 1, 2, 1}, {1, 3, 1, 3, 1, 3, 1, 3}},
                       {{3, 5000}, {3, 1}},
                       {{0, 3}, {3}},
                       {{2, 0}, {1}}};

Tensor of(DType t, const Shape& s, uint32_t seed) {
    return t == DType::kFloat ? random_tensor(s, seed, 0.5f, 4) : random_of(t, s, seed);
}

}  // namespace

TEST_CASE("fast binary ops agree with their references for every kind of broadcasting") {
    struct {
        const char* op;
        std::vector<DType> types;
    } const table[] = {{"Add", {DType::kFloat, DType::kInt32, DType::kInt64}},
                       {"Sub", {DType::kFloat, DType::kInt32, DType::kInt64}},
                       {"Mul", {DType::kFloat, DType::kInt32, DType::kInt64}},
                       {"Div", {DType::kFloat}},
                       {"Pow", {DType::kFloat}},
                       {"Max", {DType::kFloat, DType::kInt32}},
                       {"Min", {DType::kFloat, DType::kInt32}},
                       {"Sum", {DType::kFloat}},
                       {"Equal", {DType::kFloat, DType::kInt32, DType::kInt64, DType::kBool}},
                       {"Greater", {DType::kFloat, DType::kInt32, DType::kInt64}},
                       {"GreaterOrEqual", {DType::kFloat}},
                       {"Less", {DType::kFloat, DType::kInt64}},
                       {"LessOrEqual", {DType::kFloat}},
                       {"And", {DType::kBool}},
                       {"Or", {DType::kBool}},
                       {"Xor", {DType::kBool}}};
    for (const auto& row : table) {
        if (!ops::find(row.op)) continue;
        for (const DType t : row.types) {
            for (const Pair& p : kPairs) {
                CHECK(check_fast({.op = row.op, .inputs = {of(t, p.a, 1), of(t, p.b, 2)}}) > 0);
            }
        }
        const Tensor x = of(row.types[0], {2, 3, 4, 5}, 3);
        CHECK(check_fast({.op = row.op, .inputs = {x, of(row.types[0], {2, 3, 4, 5}, 4)}},
                         ops::Layout::kChannelsLast) > 0);
    }
}

TEST_CASE("special operands") {
    const Tensor a = values<float>({kNaN, 1, kInf, -kInf, 0, -0.0f, kNaN, kInf}),
                 b = values<float>({1, kNaN, kInf, kInf, 0, 0, kNaN, -kInf});
    for (const char* op : {"Add", "Sub", "Mul", "Div", "Max", "Min", "Pow", "Equal", "Less", "GreaterOrEqual"}) {
        if (ops::find(op)) CHECK(check_fast({.op = op, .inputs = {a, b}}) > 0);
    }
    CHECK(same(reference({.op = "Max", .inputs = {a, b}})[0],
               values<float>({kNaN, kNaN, kInf, kInf, 0, 0, kNaN, kInf})));
}

TEST_CASE("exponents with a kernel of their own") {
    const Tensor x = values<float>({-kInf, -2, -0.0f, 0, 0.25f, 9, kInf, kNaN, 3});
    for (const float y : {2.0f, 3.0f, 0.5f, -1.0f, 0.0f, 1.5f}) {
        CHECK(check_fast({.op = "Pow", .inputs = {x, values<float>(Shape{}, {y})}}) > 0);
    }
    CHECK(same(
        reference({.op = "Pow", .inputs = {values<int64_t>({3, -2, -1, 2}), values<int64_t>({39, 63, -3, -1})}})[0],
        values<int64_t>({4052555153018976267, kLow, -1, 0})));
    CHECK(same(reference({.op = "Pow", .inputs = {values<int32_t>({4}), values<float>({0.5f})}})[0],
               values<int32_t>({2})));
}

TEST_CASE("64-bit integers are exact and wrap") {
    CHECK(same(reference({.op = "Add", .inputs = {values<int64_t>({kBig}), values<int64_t>({1})}})[0],
               values<int64_t>({kLow})));
    CHECK(reference({.op = "Sub", .inputs = {values<int64_t>({kBig}), values<int64_t>({2})}})[0].span<int64_t>()[0] ==
          kBig - 2);
    CHECK(
        reference({.op = "Div", .inputs = {values<int64_t>({kLow}), values<int64_t>({-1})}})[0].span<int64_t>()[0] ==
        kLow);
    CHECK(reference({.op = "Div", .inputs = {values<uint64_t>({~uint64_t{0}}), values<uint64_t>({2})}})[0]
              .span<uint64_t>()[0] == uint64_t{kBig});
    CHECK(same(reference({.op = "Div", .inputs = {values<int32_t>({-7, 7}), values<int32_t>({2, -2})}})[0],
               values<int32_t>({-3, -3})));
    CHECK(same(reference({.op = "Mod", .inputs = {values<int32_t>({-7, 7}), values<int32_t>({2, -2})}})[0],
               values<int32_t>({1, -1})));
    CHECK(
        reference({.op = "Mod", .inputs = {values<int64_t>({kLow}), values<int64_t>({-1})}})[0].span<int64_t>()[0] ==
        0);
    CHECK(same(reference({.op = "Less", .inputs = {values<uint64_t>({1}), values<uint64_t>({~uint64_t{0}})}})[0],
               values<bool>({true})));
    CHECK(reference({.op = "Max", .inputs = {values<uint64_t>({1}), values<uint64_t>({~uint64_t{0}})}})[0]
              .span<uint64_t>()[0] == ~uint64_t{0});
    CHECK(same(reference({.op = "Add", .inputs = {values<uint8_t>({200}), values<uint8_t>({100})}})[0],
               values<uint8_t>({44})));
    for (const char* op : {"Add", "Sub", "Mul"}) {
        CHECK(check_fast({.op = op, .inputs = {values<int64_t>({kBig, kLow, kLow}), values<int64_t>({2, -1, 1})}}) >
              0);
        constexpr int32_t kMost = std::numeric_limits<int32_t>::max();
        CHECK(check_fast({.op = op, .inputs = {values<int32_t>({kMost, -kMost}), values<int32_t>({-2, 5})}}) > 0);
    }
}

TEST_CASE("shifts over the width leave the sign") {
    const auto shift = [](const char* direction, Tensor x, Tensor y) {
        return reference({.op = "BitShift", .attrs = {{"direction", std::string(direction)}}, .inputs = {x, y}})[0];
    };
    CHECK(same(shift("RIGHT", values<int32_t>({-8, -8, -8, 8}), values<int32_t>({1, 32, -1, 40})),
               values<int32_t>({-4, -1, -1, 0})));
    CHECK(same(shift("LEFT", values<uint8_t>({255, 1}), values<uint8_t>({4, 8})), values<uint8_t>({240, 0})));
    CHECK(shift("RIGHT", values<uint64_t>({~uint64_t{0}}), values<uint64_t>({63})).span<uint64_t>()[0] == 1);
}

TEST_CASE("more than two inputs, one, and a first pair smaller than the result") {
    const Tensor a = random_tensor({4, 5}, 1), b = random_tensor({5}, 2), c = random_tensor({4, 1}, 3),
                 d = random_tensor({3, 4, 5}, 4);
    CHECK(check_fast({.op = "Sum", .inputs = {a, b, c}}) > 0);
    CHECK(check_fast({.op = "Max", .inputs = {d, a, b, c}}) > 0);
    CHECK(check_fast({.op = "Max", .inputs = {a, b, d}}) == 0);
    CHECK(same(reference({.op = "Min", .inputs = {a}})[0], a));
    CHECK(same(reference({.op = "Mean", .inputs = {values<float>({1}), values<float>({2}), values<float>({6})}})[0],
               values<float>({3})));
}

TEST_CASE("where selects among all widths") {
    const Tensor condition = random_of(DType::kBool, {7, 40}, 5);
    for (const DType t : {DType::kFloat, DType::kInt64, DType::kUint8, DType::kFloat16, DType::kBool}) {
        for (const Shape& s : {Shape{7, 40}, Shape{1, 40}, Shape{7, 1}, Shape{}}) {
            CHECK(check_fast({.op = "Where", .inputs = {condition, random_of(t, s, 6), random_of(t, {40}, 7)}}) > 0);
        }
    }
    const auto text = reference({.op = "Where",
                                 .inputs = {values<bool>({true, false}), values<PrivateString>({"a", "b"}),
                                            values<PrivateString>(Shape{}, {"c"})}});
    CHECK(text[0].span<PrivateString>()[0] == "a");
    CHECK(text[0].span<PrivateString>()[1] == "c");
    CHECK(same(
        reference({.op = "Equal", .inputs = {values<PrivateString>({"a", "b"}), values<PrivateString>({"a"})}})[0],
        values<bool>({true, false})));
}

TEST_CASE("prelu and the biased gelus") {
    const Tensor x = random_tensor({2, 3, 4, 5}, 1, -4, 4);
    CHECK(check_fast({.op = "PRelu", .inputs = {x, random_tensor({3, 1, 1}, 2)}}) > 0);
    CHECK(check_fast({.op = "com.microsoft::BiasGelu", .inputs = {x, random_tensor({5}, 2)}}) > 0);
    CHECK(check_fast({.op = "com.microsoft::FastGelu", .inputs = {x, random_tensor({5}, 2)}}) > 0);
    CHECK_THAT(refusal({.op = "PRelu", .inputs = {random_tensor({3}, 1), x}}),
               Catch::Contains("does not broadcast to (3)"));
    CHECK_THAT(refusal({.op = "com.microsoft::BiasGelu", .inputs = {x, random_tensor({4}, 2)}}),
               Catch::Contains("(4)"));
}

TEST_CASE("binary ops refuse what they cannot do, by name") {
    const Tensor f = values<float>({1, 2}), i = values<int32_t>({1, 0});
    CHECK_THAT(refusal({.op = "Add", .inputs = {f, values<float>({1, 2, 3})}}), Catch::Contains("(2), (3)"));
    CHECK_THAT(refusal({.op = "Add", .inputs = {f, i}}), Catch::Contains("(float32, int32)"));
    CHECK_THAT(refusal({.op = "Div", .inputs = {i, i}}), Catch::Contains("by zero at element 1"));
    CHECK_THAT(refusal({.op = "Mod", .inputs = {i, i}}), Catch::Contains("by zero"));
    CHECK_THAT(refusal({.op = "Mod", .attrs = {{"fmod", int64_t{2}}}, .inputs = {i, i}}),
               Catch::Contains("fmod is 2"));
    CHECK_THAT(refusal({.op = "BitShift", .attrs = {{"direction", std::string("UP")}}, .inputs = {i, i}}),
               Catch::Contains("'UP'"));
    CHECK_THAT(refusal({.op = "BitShift", .inputs = {i, i}}), Catch::Contains("direction"));
    CHECK_THAT(refusal({.op = "And", .inputs = {i, i}}), Catch::Contains("int32"));
    CHECK_THAT(refusal({.op = "Sum", .inputs = {f, {}}}), Catch::Contains("input 1 is missing"));
    CHECK(!refusal({.op = "Where", .inputs = {f, f, f}}).empty());
}
