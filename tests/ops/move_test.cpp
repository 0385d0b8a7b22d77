#include "ops/run_op.hpp"

using namespace coffer;
using namespace coffer::testing;

namespace {

constexpr int64_t kHuge = int64_t{1} << 62;

Tensor ints(std::initializer_list<int64_t> list) {
    return values<int64_t>(list);
}

std::vector<std::string> strings(const Tensor& t) {
    const auto s = t.span<const PrivateString>();
    return {s.begin(), s.end()};
}
Tensor words(std::initializer_list<const char*> list) {
    Tensor t = empty(DType::kString, Shape{static_cast<int64_t>(list.size())});
    std::copy(list.begin(), list.end(), t.span<PrivateString>().begin());
    return t;
}

// In both layouts on every instruction set, for elements of 1, 2, 4 and 8 bytes.
void check_moves(NodeCase c, const Shape& shape) {
    for (const DType t : {DType::kInt8, DType::kFloat16, DType::kFloat, DType::kDouble}) {
        c.inputs[0] = random_of(t, shape, 7);
        CHECK(check_variants(c, 0, 0) > 0);
    }
}

}  // namespace

TEST_CASE("strided copies agree with the reference") {
    const Tensor none;
    for (const PrivateVector<int64_t>& perm :
         {PrivateVector<int64_t>{0, 2, 3, 1}, {0, 3, 1, 2}, {3, 2, 1, 0}, {0, 1, 2, 3}, {2, 3, 0, 1}}) {
        check_moves({.op = "Transpose", .attrs = {{"perm", perm}}, .inputs = {none}}, Shape{2, 5, 7, 67});
    }
    check_moves({.op = "Transpose", .inputs = {none}}, Shape{133, 70});
    check_moves({.op = "Reshape", .inputs = {none, ints({-1, 2})}, .constant = {false, true}}, Shape{40000, 4});
    check_moves({.op = "Slice",
                 .inputs = {none, ints({-1, 1}), ints({-100, 100}), ints({2, 1}), ints({-2, 1})},
                 .constant = {false, true, true, true, true}},
                Shape{2, 5, 9, 3});
    check_moves({.op = "Expand", .inputs = {none, ints({2, 3, 5, 4})}, .constant = {false, true}}, Shape{3, 1, 4});
    check_moves({.op = "Tile", .inputs = {none, ints({2, 1, 3})}, .constant = {false, true}}, Shape{3, 4, 5});
    check_moves({.op = "DepthToSpace", .attrs = {{"blocksize", int64_t{2}}}, .inputs = {none}}, Shape{2, 12, 3, 5});
    check_moves(
        {.op = "DepthToSpace", .attrs = {{"blocksize", int64_t{2}}, {"mode", std::string("CRD")}}, .inputs = {none}},
        Shape{2, 12, 3, 5});
    check_moves({.op = "SpaceToDepth", .attrs = {{"blocksize", int64_t{3}}}, .inputs = {none}}, Shape{2, 4, 6, 9});
    for (const char* mode : {"constant", "reflect", "edge", "wrap"}) {
        check_moves({.op = "Pad",
                     .attrs = {{"mode", std::string(mode)}},
                     .inputs = {none, ints({0, 0, 2, -1, 0, 1, 3, 2})},
                     .constant = {false, true}},
                    Shape{2, 3, 5, 4});
    }
    check_moves({.op = "Split",
                 .attrs = {{"axis", int64_t{1}}},
                 .inputs = {none, ints({1, 0, 4})},
                 .constant = {false, true},
                 .outputs = 3},
                Shape{2, 5, 3, 3});
    check_moves({.op = "Resize",
                 .attrs = {{"coordinate_transformation_mode", std::string("asymmetric")},
                           {"nearest_mode", std::string("floor")}},
                 .inputs = {none, Tensor(), values<float>({1, 1, 2, 3})},
                 .constant = {false, false, true}},
                Shape{2, 5, 4, 3});
    for (const int64_t axis : {0, 1, -1}) {
        const Tensor x = random_of(DType::kFloat, Shape{3, 4, 5, 6}, 1),
                     y = random_of(DType::kFloat, Shape{3, 4, 5, 6}, 2);
        CHECK(check_variants({.op = "Concat", .attrs = {{"axis", axis}}, .inputs = {x, y}}, 0, 0) > 0);
    }
    // x[:, 1:3, -2:] = y is a box; so is x[2:3] = y. Tuples in another order, or added up, are not.
    const Shape data{3, 4, 5, 6};
    Tensor places = Tensor::create(DType::kInt64, Shape{3, 2, 2, 3}).value();
    for (int64_t i = 0; i < 12; ++i) {
        const int64_t tuple[] = {i / 4, 1 + i / 2 % 2, i % 2 - 2};
        std::copy_n(tuple, 3, places.span<int64_t>().begin() + 3 * i);
    }
    const auto scatter = [&](DType t, const Tensor& indices, const Shape& updates, const char* reduction = "none") {
        return NodeCase{.op = "ScatterND",
                        .attrs = {{"reduction", std::string(reduction)}},
                        .inputs = {random_of(t, data, 1), indices, random_of(t, updates, 2)},
                        .constant = {false, true, false}};
    };
    for (const DType t : {DType::kInt8, DType::kFloat16, DType::kFloat, DType::kDouble}) {
        CHECK(check_variants(scatter(t, places, {3, 2, 2, 6}), 0, 0) > 0);
        CHECK(check_variants(scatter(t, values<int64_t>(Shape{1, 1}, {2}), {1, 4, 5, 6}), 0, 0) > 0);
    }
    CHECK(check_variants(scatter(DType::kFloat, places, {3, 2, 2, 6}, "add"), 0, 0) == 0);
    CHECK(check_variants(scatter(DType::kFloat, values<int64_t>(Shape{2, 1}, {1, 0}), {2, 4, 5, 6}), 0, 0) == 0);
    for (const DType t : {DType::kInt8, DType::kFloat, DType::kDouble}) {
        CHECK(check_fast({.op = "Gather",
                          .attrs = {{"axis", int64_t{1}}},
                          .inputs = {random_of(t, Shape{3, 7, 33}, 1), ints({6, -7, 0, 2})}}) > 0);
    }
}

TEST_CASE("strings and packed types move too") {
    NodeCase c{.op = "Slice", .inputs = {words({"a", "b", "c", "d"}), ints({3}), ints({0}), ints({0}), ints({-2})}};
    CHECK(strings(reference(c)[0]) == std::vector<std::string>{"d", "b"});
    // 4-bit elements: 1 2 3 / 4 5 6 -> 1 4 2 5 3 6, low bits first.
    Tensor packed = empty(DType::kUint4, Shape{2, 3});
    for (int64_t i = 0; i < 6; ++i) store_int(packed.view(), i, i + 1);
    const Tensor turned = reference({.op = "Transpose", .inputs = {packed}})[0];
    CHECK(turned.shape() == Shape{3, 2});
    CHECK(turned.view().as<uint8_t>()[0] == 0x41);
    CHECK(turned.view().as<uint8_t>()[1] == 0x52);
    CHECK(turned.view().as<uint8_t>()[2] == 0x63);
    const Tensor padded = reference({.op = "Pad", .inputs = {words({"x"}), ints({1, 1}), words({"-"})}})[0];
    CHECK(strings(padded) == std::vector<std::string>{"-", "x", "-"});
}

TEST_CASE("shapes at their edges") {
    CHECK(reference({.op = "Reshape", .inputs = {empty(DType::kFloat, Shape{0, 3}), ints({0, 0})}})[0].shape() ==
          Shape{0, 3});
    CHECK(reference({.op = "Reshape",
                     .attrs = {{"allowzero", int64_t{1}}},
                     .inputs = {empty(DType::kFloat, Shape{0, 3}), ints({5, 0})}})[0]
              .shape() == Shape{5, 0});
    CHECK(reference({.op = "Slice",
                     .inputs = {values<float>({1, 2, 3}), ints({INT64_MIN}), ints({INT64_MAX}), ints({0}),
                                ints({INT64_MAX})}})[0]
              .elements() == 1);
    CHECK(reference({.op = "Slice",
                     .inputs = {values<float>({1, 2, 3}), ints({INT64_MAX}), ints({INT64_MIN}), ints({0}),
                                ints({INT64_MIN})}})[0]
              .span<float>()[0] == 3);
    CHECK(reference({.op = "Tile", .inputs = {empty(DType::kFloat, Shape{0}), ints({kHuge})}})[0].elements() == 0);
    CHECK(reference({.op = "Range",
                     .inputs = {values<int64_t>(Shape{}, {5}), values<int64_t>(Shape{}, {-1}),
                                values<int64_t>(Shape{}, {INT64_MIN})}})[0]
              .elements() == 1);
    CHECK(reference({.op = "NonZero", .inputs = {values<float>(Shape{}, {2})}})[0].shape() == Shape{0, 1});
    CHECK(reference({.op = "Concat",
                     .attrs = {{"axis", int64_t{0}}},
                     .inputs = {empty(DType::kFloat, Shape{0}), values<float>({1})}})[0]
              .elements() == 1);
}

TEST_CASE("hostile shapes and attributes are refused with their values") {
    const Tensor x = random_tensor(Shape{2, 3}, 1);
    const auto refused = [](const NodeCase& c, const char* why) {
        const std::string said = refusal(c);
        INFO(c.op << ": '" << said << "'");
        CHECK(said.find(why) != std::string::npos);
    };
    refused({.op = "Reshape", .inputs = {x, ints({4, -1})}}, "multiples of 4");
    refused({.op = "Reshape", .inputs = {x, ints({-1, -1})}}, "bad dim -1");
    refused({.op = "Reshape", .inputs = {x, ints({-2, 3})}}, "bad dim -2");
    refused({.op = "Reshape", .inputs = {x, ints({kHuge, 4, -1})}}, "too large");
    refused({.op = "Reshape", .inputs = {x, ints({1, 1, 1, 1, 1, 1, 1, 1, 6})}}, "rank 9");
    refused({.op = "Reshape", .inputs = {x, values<float>({6})}}, "float32");
    refused({.op = "Flatten", .attrs = {{"axis", int64_t{3}}}, .inputs = {x}}, "axis 3");
    refused({.op = "Flatten", .inputs = {empty(DType::kFloat, Shape{0, 65535, 65537, 641, 6700417})}}, "too large");
    refused({.op = "Squeeze", .inputs = {x, ints({0})}}, "is not 1");
    refused({.op = "Unsqueeze", .inputs = {x, ints({0, 0})}}, "given twice");
    refused({.op = "Unsqueeze", .inputs = {x, ints({0, 1, 2, 3, 4, 5, 6})}}, "rank 9");
    refused({.op = "Transpose", .attrs = {{"perm", PrivateVector<int64_t>{0, 0}}}, .inputs = {x}}, "given twice");
    refused({.op = "Transpose", .attrs = {{"perm", PrivateVector<int64_t>{0, 2}}}, .inputs = {x}}, "axis 2");
    refused({.op = "Transpose", .attrs = {{"perm", PrivateVector<int64_t>{0}}}, .inputs = {x}}, "perm has 1");
    refused({.op = "Expand", .inputs = {x, ints({4})}}, "cannot broadcast");
    refused({.op = "Expand", .inputs = {x, ints({-1, 3})}}, "bad shape");
    refused({.op = "Expand", .inputs = {x, ints({kHuge, 2, 3})}}, "too large");
    refused({.op = "Tile", .inputs = {x, ints({kHuge, 2})}}, "4611686018427387904 times");
    refused({.op = "Tile", .inputs = {x, ints({INT64_MAX, 2})}}, "9223372036854775807");
    refused({.op = "Tile", .inputs = {x, ints({-1, 2})}}, "-1 times");
    refused({.op = "Concat", .attrs = {{"axis", int64_t{2}}}, .inputs = {x, x}}, "axis 2");
    refused({.op = "Concat", .attrs = {{"axis", int64_t{0}}}, .inputs = {x, random_tensor(Shape{2, 4}, 1)}},
            "does not fit");
    refused({.op = "Split", .inputs = {x, ints({1, 2})}, .outputs = 2}, "does not divide");
    refused({.op = "Split", .inputs = {x, ints({-1, 3})}, .outputs = 2}, "part 0 of -1");
    refused({.op = "Slice", .inputs = {x, ints({0}), ints({1}), ints({0}), ints({0})}}, "step 0");
    refused({.op = "Slice", .inputs = {x, ints({0}), ints({1}), ints({5})}}, "axis 5");
    refused({.op = "Slice", .inputs = {x, ints({0}), ints({1, 2})}}, "2 entries");
    refused({.op = "Pad", .inputs = {x, ints({0, kHuge, 0, kHuge})}}, "pads");
    refused({.op = "Pad", .inputs = {x, ints({0, -5, 0, 0})}}, "pads -5");
    refused({.op = "Pad",
             .attrs = {{"mode", std::string("edge")}},
             .inputs = {empty(DType::kFloat, Shape{0}), ints({1, 0})}},
            "nothing to pad");
    refused({.op = "Gather", .inputs = {x, ints({2})}}, "index 2");
    refused({.op = "Gather", .inputs = {x, values<float>({0})}}, "float32");
    refused({.op = "GatherElements", .inputs = {x, values<int64_t>(Shape{1, 1}, {-3})}}, "index -3");
    refused({.op = "GatherND", .inputs = {x, values<int64_t>(Shape{1, 3}, {0, 0, 0})}}, "3 indices");
    refused(
        {.op = "GatherND", .attrs = {{"batch_dims", int64_t{-1}}}, .inputs = {x, values<int64_t>(Shape{1, 1}, {0})}},
        "batch_dims -1");
    refused({.op = "ScatterND", .inputs = {x, values<int64_t>(Shape{1, 2}, {0, 3}), values<float>({1})}}, "index 3");
    refused({.op = "ScatterElements",
             .attrs = {{"reduction", std::string("avg")}},
             .inputs = {x, values<int64_t>(Shape{1, 1}, {0}), values<float>(Shape{1, 1}, {1})}},
            "'avg'");
    refused({.op = "Range",
             .inputs = {values<float>(Shape{}, {0}), values<float>(Shape{}, {1}), values<float>(Shape{}, {0})}},
            "by 0");
    refused({.op = "Range",
             .inputs = {values<int64_t>(Shape{}, {0}), values<int64_t>(Shape{}, {1}), values<int64_t>(Shape{}, {0})}},
            "delta is 0");
    refused({.op = "Range",
             .inputs = {values<int64_t>(Shape{}, {INT64_MIN}), values<int64_t>(Shape{}, {INT64_MAX}),
                        values<int64_t>(Shape{}, {1})}},
            "elements");
    refused({.op = "ConstantOfShape", .inputs = {ints({-1})}}, "negative");
    refused({.op = "ConstantOfShape", .inputs = {ints({kHuge, kHuge})}, .constant = {true}}, "too large");
    refused({.op = "OneHot", .inputs = {ints({0}), ints({-1}), values<float>({0, 1})}}, "depth -1");
    refused({.op = "TopK", .inputs = {x, ints({4})}, .outputs = 2}, "k is 4");
    refused({.op = "EyeLike", .attrs = {{"dtype", int64_t{99}}}, .inputs = {x}}, "99");
    refused(
        {.op = "DepthToSpace", .attrs = {{"blocksize", int64_t{0}}}, .inputs = {random_tensor(Shape{1, 4, 1, 1}, 1)}},
        "blocksize 0");
    refused({.op = "DepthToSpace", .attrs = {{"blocksize", kHuge}}, .inputs = {random_tensor(Shape{1, 4, 1, 1}, 1)}},
            "blocksize");
    refused({.op = "ReverseSequence", .inputs = {random_tensor(Shape{2, 1}, 1), ints({3})}}, "sequence_lens[0] = 3");
    refused({.op = "Resize", .inputs = {x, Tensor(), values<float>({1, -1})}}, "scale -1");
    refused({.op = "Resize", .inputs = {x, Tensor(), values<float>({1, 1e30f})}}, "scale");
    refused({.op = "Resize",
             .inputs = {x, Tensor(), Tensor(), ints({kHuge, kHuge})},
             .constant = {false, false, false, true}},
            "too large");
    refused({.op = "Einsum", .attrs = {{"equation", std::string("ij,j")}}, .inputs = {x}}, "operands");
    refused({.op = "Einsum", .attrs = {{"equation", std::string("ii")}}, .inputs = {x}}, "an axis is 2 and 3");
    const std::vector<Tensor> eight(8, random_tensor(Shape{256}, 1));
    refused({.op = "Einsum", .attrs = {{"equation", std::string("a,b,c,d,e,f,g,h->")}}, .inputs = eight}, "too many");
    refused({.op = "DFT", .inputs = {random_tensor(Shape{1, 4, 1}, 1), values<int64_t>(Shape{}, {-4})}},
            "dft_length -4");
    refused({.op = "HannWindow", .inputs = {values<int64_t>(Shape{}, {-1})}}, "size -1");
    refused({.op = "Col2Im",
             .attrs = {{"strides", PrivateVector<int64_t>{0, 1}}},
             .inputs = {random_tensor(Shape{1, 1, 1}, 1), ints({1, 1}), ints({1, 1})}},
            "stride 0");
    refused({.op = "Col2Im",
             .attrs = {{"pads", PrivateVector<int64_t>{INT64_MIN, 0, INT64_MAX, 0}}},
             .inputs = {random_tensor(Shape{1, 1, 1}, 1), ints({2, 1}), ints({1, 1})}},
            "pads -9223372036854775808");
    refused({.op = "RoiAlign",
             .attrs = {{"sampling_ratio", int64_t{65}}},
             .inputs = {random_tensor(Shape{1, 1, 2, 2}, 1), random_tensor(Shape{1, 4}, 1), ints({0})}},
            "sampling_ratio 65");
    refused({.op = "RandomUniform", .attrs = {{"shape", PrivateVector<int64_t>{-1}}}}, "negative");
}

TEST_CASE("scatter reductions keep NaN and the order of unsigned numbers") {
    const auto scatter = [](const char* how, const Tensor& data, const Tensor& update) {
        return reference({.op = "ScatterElements",
                          .attrs = {{"reduction", std::string(how)}},
                          .inputs = {data, ints({0}), update}})[0];
    };
    CHECK(std::isnan(scatter("max", values<float>({NAN}), values<float>({1})).span<float>()[0]));
    CHECK(std::isnan(scatter("min", values<float>({1}), values<float>({NAN})).span<float>()[0]));
    CHECK(scatter("max", values<uint64_t>({~uint64_t{0}}), values<uint64_t>({1})).span<uint64_t>()[0] ==
          ~uint64_t{0});
    CHECK(scatter("min", values<int64_t>({-1}), values<int64_t>({1})).span<int64_t>()[0] == -1);
    CHECK(scatter("add", values<int64_t>({INT64_MAX}), values<int64_t>({1})).span<int64_t>()[0] == INT64_MIN);
}

TEST_CASE("random ops repeat with a seed and keep to their range") {
    const NodeCase c{
        .op = "RandomUniform",
        .attrs = {{"shape", PrivateVector<int64_t>{1000}}, {"seed", 3.0f}, {"low", 2.0f}, {"high", 4.0f}}};
    const Tensor a = reference(c)[0], b = reference(c)[0];
    double sum = 0;
    for (int64_t i = 0; i < 1000; ++i) {
        const float v = a.span<float>()[size_t(i)];
        CHECK((v >= 2 && v <= 4 && v == b.span<float>()[size_t(i)]));
        sum += v;
    }
    CHECK(sum / 1000 == Approx(3).margin(0.1));
    const Tensor n =
        reference({.op = "RandomNormal",
                   .attrs = {{"shape", PrivateVector<int64_t>{4000}}, {"seed", 1.0f}, {"mean", 5.0f}}})[0];
    double mean = 0, square = 0;
    for (float v : n.span<float>()) mean += v / 4000, square += (v - 5) * (v - 5) / 4000;
    CHECK(mean == Approx(5).margin(0.1));
    CHECK(square == Approx(1).margin(0.1));
}

TEST_CASE("dims beside one of no elements may be huge, and cost nothing") {
    constexpr int64_t kMany = int64_t{1} << 31;
    const auto none = [](const Shape& shape) { return empty(DType::kFloat, shape); };
    CHECK(reference({.op = "Unique",
                     .attrs = {{"axis", int64_t{1}}},
                     .inputs = {none(Shape{int64_t{1} << 40, 2, 0})},
                     .outputs = 4})[0]
              .shape() == Shape{int64_t{1} << 40, 1, 0});
    CHECK(reference({.op = "NonMaxSuppression",
                     .inputs = {none(Shape{kMany, 0, 4}), none(Shape{kMany, kMany, 0}), ints({5})}})[0]
              .shape() == Shape{0, 3});
    CHECK(same(reference({.op = "RoiAlign",
                          .inputs = {none(Shape{1, 1, kMany, 0}), values<float>(Shape{1, 4}, {0, 0, 1, 1e30f}),
                                     ints({0})}})[0],
               values<float>(Shape{1, 1, 1, 1}, {0})));
    CHECK(same(reference({.op = "MaxRoiPool",
                          .attrs = {{"pooled_shape", PrivateVector<int64_t>{1, 1}}},
                          .inputs = {none(Shape{1, 1, int64_t{1} << 40, 0}),
                                     values<float>(Shape{1, 5}, {0, 0, 0, 1, 1e15f})}})[0],
               values<float>(Shape{1, 1, 1, 1}, {0})));
    CHECK(same(reference({.op = "GridSample",
                          .inputs = {none(Shape{1, 1, 0, int64_t{1} << 40, int64_t{1} << 40}),
                                     random_tensor(Shape{1, 1, 1, 1, 3}, 1)}})[0],
               values<float>(Shape{1, 1, 1, 1, 1}, {0})));
    CHECK(reference({.op = "Flatten", .inputs = {none(Shape{kMany, 0, kMany})}})[0].shape() == Shape{kMany, 0});
    CHECK(same(reference({.op = "Einsum",
                          .attrs = {{"equation", std::string("abc,abd->")}},
                          .inputs = {none(Shape{kMany, kMany, 0}), none(Shape{kMany, kMany, 0})}})[0],
               values<float>(Shape{}, {0})));
}

TEST_CASE("Pad is inferred without a look at what it repeats") {
    NodeCase c{.op = "Pad",
               .attrs = {{"mode", std::string("wrap")}},
               .inputs = {values<float>({1}), ints({0, int64_t{1} << 40})},
               .constant = {false, true}};
    NodeRunner runner(c);
    REQUIRE(runner.infer().ok());
    CHECK(runner.output_shape() == Shape{(int64_t{1} << 40) + 1});
}

TEST_CASE("a transform longer than its input is that of zeros behind it") {
    const auto padded = [](const Tensor& x, int64_t n) {
        const Tensor y = empty(DType::kFloat, Shape{1, n, x.shape()[2]});
        std::copy_n(x.span<float>().begin(), std::min(x.elements(), y.elements()), y.span<float>().begin());
        return y;
    };
    for (const int64_t dim : {1, 5, 6}) {
        for (const int64_t n : {1, 2, 4, 5, 6, 9, 10, 11, 16}) {
            for (const int64_t inverse : {0, 1}) {
                for (const int64_t onesided : {0, 1}) {
                    const Tensor x = random_tensor(Shape{1, dim, onesided && !inverse ? 1 : 2}, 1);
                    NodeCase c{.op = "DFT",
                               .attrs = {{"inverse", inverse}, {"onesided", onesided}},
                               .inputs = {x, values<int64_t>(Shape{}, {n})}};
                    const Tensor y = reference(c)[0];
                    c.inputs[0] = padded(x, n);
                    INFO(dim << " of " << n << " inverse " << inverse << " onesided " << onesided);
                    CHECK(same(y, reference(c)[0]));
                }
            }
        }
    }
    // The work is that of what is there.
    const Tensor one = values<float>(Shape{1, 1, 1}, {3});
    const Tensor y = reference({.op = "DFT", .inputs = {one, values<int64_t>(Shape{}, {1 << 20})}})[0];
    CHECK(y.span<float>()[2 * 777777] == 3);
}

TEST_CASE("columns that lie in the padding add nothing") {
    NodeCase c{.op = "Col2Im",
               .attrs = {{"pads", PrivateVector<int64_t>{kHuge, 0, 0, 0}},
                         {"strides", PrivateVector<int64_t>{INT64_MAX, 1}}},
               .inputs = {values<float>(Shape{1, 1, 3}, {1, 2, 3}), ints({3, 3}), ints({1, 1})}};
    const Tensor y = reference(c)[0];
    CHECK(y.shape() == Shape{1, 1, 3, 3});
    for (const float v : y.span<float>()) CHECK(v == 0);
}

TEST_CASE("many samples of many classes") {
    constexpr int64_t kMany = 100000;
    const Tensor x = empty(DType::kFloat, Shape{1, kMany});
    const Tensor y =
        reference({.op = "Multinomial", .attrs = {{"sample_size", kMany}, {"seed", 1.0f}}, .inputs = {x}})[0];
    double mean = 0;
    for (const int32_t v : y.span<int32_t>()) mean += v / double(kMany);
    CHECK(mean == Approx(kMany / 2.0).epsilon(0.02));
}
