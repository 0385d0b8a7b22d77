#include <limits>

#include "ops/run_op.hpp"

using namespace coffer;
using namespace coffer::testing;

namespace {

constexpr float kInf = std::numeric_limits<float>::infinity();
constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();

}  // namespace

TEST_CASE("fast softmax agrees with the reference over every axis") {
    for (const char* op : {"Softmax", "LogSoftmax"}) {
        for (const Shape& shape :
             {Shape{5, 33}, Shape{1, 1}, Shape{3, 9001}, Shape{2, 7, 19}, Shape{2, 3, 4, 5}, Shape{40, 3, 100}}) {
            for (int64_t axis = -1; axis < shape.rank(); ++axis) {
                const NodeCase c{.op = op, .attrs = {{"axis", axis}}, .inputs = {random_tensor(shape, 1, -30, 30)}};
                CHECK(check_fast(c) > 0);
                if (shape.rank() >= 3) CHECK(check_fast(c, ops::Layout::kChannelsLast) > 0);
            }
        }
        const Tensor special =
            values<float>({5, 3}, {1000, 1000, -1000, -kInf, 0, -kInf, kNaN, 1, 2, -kInf, -kInf, -kInf, kInf, 0, 1});
        CHECK(check_fast({.op = op, .inputs = {special}}) > 0);
        CHECK(check_fast({.op = op, .attrs = {{"axis", int64_t{0}}}, .inputs = {special}}) > 0);
        CHECK(reference({.op = op, .inputs = {empty(DType::kFloat, {3, 0})}})[0].shape() == Shape{3, 0});
        CHECK_THAT(refusal({.op = op, .attrs = {{"axis", int64_t{2}}}, .inputs = {special}}),
                   Catch::Contains("axis 2"));
        CHECK_THAT(refusal({.op = op, .inputs = {values<float>(Shape{}, {1})}}), Catch::Contains("rank of 0"));
        CHECK_THAT(refusal({.op = op, .inputs = {values<int32_t>({1})}}), Catch::Contains("int32"));
    }
    CHECK(same(reference({.op = "Hardmax", .inputs = {values<float>({2, 3}, {1, 5, 5, 2, 0, 1})}})[0],
               values<float>({2, 3}, {0, 1, 0, 1, 0, 0})));
}

TEST_CASE("fast row normalizations agree with the reference") {
    for (const int64_t n : {1, 5, 64, 384, 5000}) {
        const Tensor x = random_tensor({2, 3, n}, 1, -3, 5), scale = random_tensor({n}, 2),
                     bias = random_tensor({n}, 3);
        const Tensor skip = random_tensor({2, 3, n}, 4), repeated = random_tensor({3, n}, 5);
        CHECK(check_fast({.op = "LayerNormalization", .inputs = {x, scale, bias}, .outputs = 3}) > 0);
        CHECK(check_fast({.op = "LayerNormalization", .inputs = {x, scale}}) > 0);
        CHECK(check_fast({.op = "RMSNormalization", .inputs = {x, scale}}) > 0);
        CHECK(check_fast({.op = "com.microsoft::SimplifiedLayerNormalization", .inputs = {x, scale}, .outputs = 2}) >
              0);
        CHECK(check_fast({.op = "com.microsoft::SkipLayerNormalization",
                          .inputs = {x, skip, scale, bias, bias},
                          .outputs = 4}) > 0);
        CHECK(check_fast({.op = "com.microsoft::SkipLayerNormalization", .inputs = {x, repeated, scale}}) > 0);
        CHECK(check_fast({.op = "com.microsoft::SkipSimplifiedLayerNormalization",
                          .inputs = {x, skip, scale, bias},
                          .outputs = 1}) > 0);
    }
    const Tensor x = random_tensor({4, 3, 5}, 1);
    CHECK(check_fast({.op = "LayerNormalization",
                      .attrs = {{"axis", int64_t{1}}},
                      .inputs = {x, random_tensor({3, 5}, 2)}}) > 0);
    CHECK(check_fast(
              {.op = "LayerNormalization", .attrs = {{"axis", int64_t{1}}}, .inputs = {x, random_tensor({5}, 2)}}) ==
          0);
    CHECK(check_fast({.op = "LayerNormalization", .inputs = {x, random_tensor({4, 3, 5}, 2)}}) == 0);
    // A mean far from zero must not cost the variance its digits.
    CHECK(check_fast({.op = "LayerNormalization",
                      .inputs = {random_tensor({2, 300}, 6, 1000, 1001), random_tensor({300}, 2)}}) > 0);
}

TEST_CASE("row normalizations refuse what does not fit") {
    const Tensor x = random_tensor({4, 3}, 1);
    CHECK_THAT(refusal({.op = "LayerNormalization", .inputs = {x, random_tensor({4}, 2)}}),
               Catch::Contains("(4) does not broadcast to (4, 3)"));
    CHECK_THAT(
        refusal({.op = "LayerNormalization", .attrs = {{"axis", int64_t{2}}}, .inputs = {x, random_tensor({3}, 2)}}),
        Catch::Contains("no axis"));
    CHECK_THAT(refusal({.op = "LayerNormalization",
                        .attrs = {{"stash_type", int64_t{7}}},
                        .inputs = {x, random_tensor({3}, 2)}}),
               Catch::Contains("stash_type 7"));
    // Rows without elements still have statistics.
    NodeCase rows{.op = "com.microsoft::SimplifiedLayerNormalization",
                  .inputs = {empty(DType::kFloat, {5, 0}), empty(DType::kFloat, {0})},
                  .outputs = 2};
    const std::vector<Tensor> statistics = reference(rows);
    for (const float inverse : statistics[1].span<float>()) CHECK(std::isnan(inverse));
    CHECK_THAT(
        refusal({.op = "LayerNormalization", .inputs = {values<float>(Shape{}, {1}), values<float>(Shape{}, {1})}}),
        Catch::Contains("no axis"));
}

TEST_CASE("normalizations over channels") {
    for (const Shape& shape : {Shape{2, 6, 5, 7}, Shape{1, 6, 3}, Shape{3, 6}, Shape{1, 6, 70, 70}}) {
        const Tensor x = random_tensor(shape, 1, -2, 3), scale = random_tensor({6}, 2), bias = random_tensor({6}, 3);
        CHECK(check_fast({.op = "InstanceNormalization", .inputs = {x, scale, bias}}) > 0);
        CHECK(check_fast(
                  {.op = "GroupNormalization", .attrs = {{"num_groups", int64_t{3}}}, .inputs = {x, scale, bias}}) >
              0);
        const NodeCase batch{.op = "BatchNormalization",
                             .inputs = {x, scale, bias, bias, random_tensor({6}, 4, 0.1f, 2)}};
        CHECK(check_fast(batch) > 0);
        if (shape.rank() >= 3) CHECK(check_fast(batch, ops::Layout::kChannelsLast) > 0);
    }
    const Tensor x = random_tensor({2, 6, 5}, 1), c = random_tensor({6}, 2), d = random_tensor({5}, 2);
    const auto group = [&](int64_t n) {
        return refusal({.op = "GroupNormalization", .attrs = {{"num_groups", n}}, .inputs = {x, c, c}});
    };
    CHECK_THAT(group(4), Catch::Contains("4 groups do not divide 6"));
    CHECK_THAT(group(0), Catch::Contains("0 groups"));
    CHECK_THAT(group(-6), Catch::Contains("-6 groups"));
    CHECK_THAT(refusal({.op = "InstanceNormalization", .inputs = {x, d, c}}), Catch::Contains("(5), not (6)"));
    CHECK_THAT(refusal({.op = "BatchNormalization", .inputs = {x, c, c, c, d}}), Catch::Contains("(5), not (6)"));
    CHECK_THAT(refusal({.op = "BatchNormalization", .inputs = {x, c, c, c, c}, .outputs = 2}),
               Catch::Contains("training_mode"));
}

TEST_CASE("batch normalization in training updates the running statistics") {
    const Tensor x = values<float>({2, 1, 2}, {1, 2, 3, 6}), one = values<float>({1}), zero = values<float>({0});
    const auto y = reference({.op = "BatchNormalization",
                              .attrs = {{"training_mode", int64_t{1}}, {"momentum", 0.5f}, {"epsilon", 0.0f}},
                              .inputs = {x, one, zero, zero, one},
                              .outputs = 3});
    CHECK(y[1].span<float>()[0] == 1.5f);   // half of the mean 3
    CHECK(y[2].span<float>()[0] == 2.25f);  // between 1 and the variance 3.5
}

TEST_CASE("other normalizations") {
    CHECK(same(reference({.op = "LpNormalization",
                          .attrs = {{"p", int64_t{1}}},
                          .inputs = {values<float>({2, 2}, {1, 3, 0, 0})}})[0],
               values<float>({2, 2}, {0.25f, 0.75f, 0, 0})));
    CHECK_THAT(refusal({.op = "LpNormalization", .attrs = {{"p", int64_t{3}}}, .inputs = {values<float>({1})}}),
               Catch::Contains("p is 3"));
    CHECK_THAT(refusal({.op = "LRN", .attrs = {{"size", int64_t{0}}}, .inputs = {random_tensor({1, 2}, 1)}}),
               Catch::Contains("size is 0"));
    CHECK(reference({.op = "LRN",
                     .attrs = {{"size", std::numeric_limits<int64_t>::max()}},
                     .inputs = {random_tensor({1, 2, 3}, 1)}})[0]
              .shape() == Shape{1, 2, 3});
    for (int64_t size = 1; size < 20; ++size) {
        Tensor x = random_tensor({2, 7, 3}, 1);
        x.span<float>()[4] = 1e18f;
        const Tensor expected = empty(DType::kFloat, x.shape());
        for (int64_t i = 0; i < 42; ++i) {
            double squares = 0;
            for (int64_t k = 0; k < 7; ++k) {
                const int64_t away = k - i / 3 % 7;
                const double v = x.span<float>()[static_cast<size_t>(i + away * 3)];
                if (away >= -((size - 1) / 2) && away <= size / 2) squares += v * v;
            }
            store_double(expected.view(), i, load_double(x.view(), i) / std::pow(1 + squares / double(size), 0.5));
        }
        INFO("size " << size);
        CHECK(same(
            reference({.op = "LRN", .attrs = {{"size", size}, {"alpha", 1.0f}, {"beta", 0.5f}}, .inputs = {x}})[0],
            expected));
    }
    // A window costs no more than its ends.
    CHECK(reference({.op = "LRN", .attrs = {{"size", int64_t{500000}}}, .inputs = {random_tensor({1, 1000000}, 1)}})
              .size() == 1);
    CHECK_THAT(refusal({.op = "MeanVarianceNormalization", .inputs = {random_tensor({1, 2}, 1)}}),
               Catch::Contains("axis 2"));
}

TEST_CASE("dropout copies, or drops the ratio asked for") {
    Tensor x = Tensor::create(DType::kFloat, {10000}).value();
    for (float& v : x.span<float>()) v = 1;
    const auto kept = reference({.op = "Dropout", .inputs = {x, values<float>(Shape{}, {0.9f})}, .outputs = 2});
    CHECK(same(kept[0], x));
    CHECK(kept[1].span<uint8_t>()[77] == 1);
    const NodeCase training{.op = "Dropout",
                            .attrs = {{"seed", int64_t{5}}},
                            .inputs = {x, values<float>(Shape{}, {0.25f}), values<bool>(Shape{}, {true})},
                            .outputs = 2};
    const auto dropped = reference(training);
    int64_t ones = 0;
    for (size_t i = 0; i < 10000; ++i) {
        const bool keep = dropped[1].span<uint8_t>()[i] != 0;
        ones += keep;
        CHECK(dropped[0].span<float>()[i] == (keep ? Approx(4.0 / 3) : Approx(0)));
    }
    CHECK(ones > 7300);
    CHECK(ones < 7700);
    CHECK(same(reference(training)[1], dropped[1]));
    CHECK_THAT(refusal({.op = "Dropout", .inputs = {x, values<float>(Shape{}, {1}), values<bool>(Shape{}, {true})}}),
               Catch::Contains("ratio 1"));
}
