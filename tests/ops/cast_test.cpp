#include <cmath>
#include <limits>

#include "ops/run_op.hpp"

using namespace coffer;
using namespace coffer::testing;

namespace {

constexpr float kInf = std::numeric_limits<float>::infinity();
constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();

NodeCase cast(Tensor x, DType to) {
    return {.op = "Cast", .attrs = {{"to", static_cast<int64_t>(to)}}, .inputs = {std::move(x)}};
}

}  // namespace

TEST_CASE("fast conversions agree with the reference") {
    constexpr DType types[] = {DType::kFloat, DType::kInt64, DType::kInt32,  DType::kUint8,
                               DType::kInt8,  DType::kBool,  DType::kFloat16};
    int ran = 0;
    for (const DType from : types) {
        for (const DType to : types) {
            for (const int64_t n : {0, 1, 13, 5000}) ran += check_fast(cast(random_of(from, Shape{n}, 1), to));
        }
    }
    CHECK(ran >= 18 * 4);
    const Tensor special = values<float>(
        {kNaN, kInf, -kInf, -0.0f, 3e9f, -3e9f, 1e30f, -1e30f, 300.7f, -1.5f, 65504, 65520, 1e-7f, 6e-8f, 2.98e-8f});
    for (const DType to : types) (void)check_fast(cast(special, to));
    Tensor halves = empty(DType::kFloat16, Shape{65536});
    for (size_t i = 0; i < 65536; ++i) halves.span<uint16_t>()[i] = static_cast<uint16_t>(i);
    CHECK(check_fast(cast(halves, DType::kFloat)) > 0);
}

TEST_CASE("64-bit integers are rounded once") {
    const int64_t x = (int64_t{1} << 60) + (int64_t{1} << 36) + 1;  // just above half a unit of float32
    CHECK(reference(cast(values<int64_t>({x}), DType::kFloat))[0].span<float>()[0] == static_cast<float>(x));
    CHECK(reference(cast(values<uint64_t>({~uint64_t{0}}), DType::kDouble))[0].span<double>()[0] == 0x1p64);
    CHECK(same(reference(cast(values<double>({0x1p64, 1e300, HUGE_VAL, 0x1p63}), DType::kUint64))[0],
               values<uint64_t>({~uint64_t{0}, ~uint64_t{0}, ~uint64_t{0}, uint64_t{1} << 63})));
    CHECK(same(reference(cast(values<int16_t>({200, -1}), DType::kInt8))[0], values<int8_t>({-56, -1})));
    CHECK(same(reference(cast(values<float>({0.25f, kNaN, -0.0f}), DType::kBool))[0],
               values<bool>({true, true, false})));
}

TEST_CASE("text to numbers and back") {
    const Tensor text = values<PrivateString>({"3.25", "-1e3", "+INF", "nan", "42"});
    CHECK(same(reference(cast(text, DType::kFloat))[0], values<float>({3.25f, -1000, kInf, kNaN, 42})));
    CHECK(same(reference(cast(values<PrivateString>({"9223372036854775807", "100.5", "-3"}), DType::kInt64))[0],
               values<int64_t>({std::numeric_limits<int64_t>::max(), 100, -3})));
    CHECK(reference(cast(values<PrivateString>({"18446744073709551615"}), DType::kUint64))[0].span<uint64_t>()[0] ==
          ~uint64_t{0});
    const auto printed = reference(cast(values<float>({0.1f, -kInf, kNaN, 100}), DType::kString))[0];
    CHECK(printed.span<PrivateString>()[0] == "0.1");
    CHECK(printed.span<PrivateString>()[1] == "-INF");
    CHECK(printed.span<PrivateString>()[2] == "NaN");
    CHECK(printed.span<PrivateString>()[3] == "100");
    const auto round =
        reference(cast(values<float>({100000, 12300000, -0.0f, 1.17549435e-38f, 16777216}), DType::kString))[0];
    const std::vector<std::string> expected = {"100000", "1.23e+07", "-0", "1.1754944e-38", "16777216"};
    for (size_t i = 0; i < expected.size(); ++i)
        CHECK(std::string_view(round.span<PrivateString>()[i]) == expected[i]);
    CHECK(reference(cast(values<uint64_t>({~uint64_t{0}}), DType::kString))[0].span<PrivateString>()[0] ==
          "18446744073709551615");
    CHECK_THAT(refusal(cast(values<PrivateString>({"1", "Hello"}), DType::kFloat)),
               Catch::Contains("'Hello' at element 1"));
    CHECK_THAT(refusal(cast(values<PrivateString>({""}), DType::kInt32)), Catch::Contains("is not a int32"));
    CHECK_THAT(refusal(cast(values<PrivateString>({"5x"}), DType::kInt32)), Catch::Contains("'5x'"));
}

TEST_CASE("small floats with and without saturation") {
    const Tensor x = values<float>({460, 470, -1e9f, kInf, kNaN, 1});
    const auto to = [&](DType t, int64_t saturate) {
        NodeCase c = cast(x, t);
        c.attrs.push_back({"saturate", saturate});
        return reference(c)[0];
    };
    const Tensor saturated = to(DType::kFloat8E4M3FN, 1), open = to(DType::kFloat8E4M3FN, 0);
    CHECK(load_double(saturated.view(), 0) == 448);
    CHECK(load_double(saturated.view(), 1) == 448);
    CHECK(load_double(saturated.view(), 2) == -448);
    CHECK(load_double(open.view(), 0) == 448);  // nearer to 448 than to what would be next
    CHECK(std::isnan(load_double(open.view(), 1)));
    CHECK(std::isnan(load_double(open.view(), 3)));
    CHECK(std::isinf(load_double(to(DType::kFloat8E5M2, 0).view(), 2)));
    CHECK(load_double(to(DType::kFloat8E5M2, 0).view(), 5) == 1);
    NodeCase scale = cast(values<float>({3, 4, 0.75f, 6}), DType::kFloat8E8M0);
    CHECK(load_double(reference(scale)[0].view(), 0) == 4);
    scale.attrs.push_back({"round_mode", std::string("down")});
    CHECK(load_double(reference(scale)[0].view(), 0) == 2);
    scale.attrs.back().value = std::string("sideways");
    CHECK_THAT(refusal(scale), Catch::Contains("'sideways'"));
}

TEST_CASE("casts to unknown types are refused") {
    for (const int64_t to :
         {int64_t{-1}, int64_t{0}, int64_t{14}, int64_t{27}, std::numeric_limits<int64_t>::max()}) {
        CHECK_THAT(refusal({.op = "Cast", .attrs = {{"to", to}}, .inputs = {values<float>({1})}}),
                   Catch::Contains(std::to_string(to)));
    }
    CHECK_THAT(refusal({.op = "BitCast", .attrs = {{"to", int64_t{11}}}, .inputs = {values<float>({1})}}),
               Catch::Contains("cannot see float32 as float64"));
    CHECK(same(reference({.op = "BitCast", .attrs = {{"to", int64_t{6}}}, .inputs = {values<float>({1})}})[0],
               values<int32_t>({0x3f800000})));
    CHECK(reference({.op = "CastLike", .inputs = {values<float>({1.5f}), values<int32_t>({})}})[0].dtype() ==
          DType::kInt32);
}
