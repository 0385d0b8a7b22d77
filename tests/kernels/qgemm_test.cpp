// Quantized matrix products against the reference, on every instruction set: equal to the bit.
#include "kernels/plan_harness.hpp"

using namespace coffer;
using namespace coffer::testing;

namespace {

template <class T>
Tensor random_ints(const Shape& shape, uint32_t seed, int low, int high) {
    Tensor t = Tensor::create(dtype_of<T>, shape).value();
    std::mt19937 random(seed);
    std::uniform_int_distribution<int> values(low, high);
    for (T& x : t.span<T>()) x = static_cast<T>(values(random));
    return t;
}
Tensor bytes(bool is_signed, const Shape& shape, uint32_t seed) {
    return is_signed ? random_ints<int8_t>(shape, seed, -128, 127) : random_ints<uint8_t>(shape, seed, 0, 255);
}
Tensor byte(bool is_signed, int value) {
    return is_signed ? Tensor::scalar(static_cast<int8_t>(value)) : Tensor::scalar(static_cast<uint8_t>(value));
}

struct Sizes {
    int64_t m, k, n;
};
// Around every blocking: fours of k, sixteens of columns, blocks of rows, units.
constexpr Sizes kSizes[] = {{1, 1, 1},     {1, 3, 17},   {1, 64, 16},  {2, 5, 15},    {3, 64, 64},   {5, 17, 33},
                            {6, 16, 16},   {7, 63, 31},  {12, 4, 48},  {13, 65, 47},  {17, 128, 80}, {32, 64, 32},
                            {33, 100, 20}, {97, 36, 19}, {200, 7, 65}, {130, 260, 24}};

// Every combination of signs, with zero points on both sides.
template <class Make>
void sweep(const Make& make) {
    uint32_t seed = 1;
    for (const Sizes& s : kSizes) {
        for (const bool x_signed : {false, true}) {
            for (const bool w_signed : {true, false}) {
                INFO(s.m << "x" << s.k << "x" << s.n << (x_signed ? " s8" : " u8") << (w_signed ? " s8" : " u8"));
                seed += 10;
                CHECK(check_variants(make(s, x_signed, w_signed, seed), 1e-30, 0) > 0);
            }
        }
    }
}

TEST_CASE("MatMulInteger equals the reference to the bit") {
    sweep([](const Sizes& s, bool x_signed, bool w_signed, uint32_t seed) {
        NodeCase c{.op = "MatMulInteger"};
        c.inputs = {bytes(x_signed, {s.m, s.k}, seed), bytes(w_signed, {s.k, s.n}, seed + 1),
                    byte(x_signed, x_signed ? -7 : 131), bytes(w_signed, {s.n}, seed + 2)};
        c.constant = {false, true, seed % 20 == 1, true};  // the zero point of x known while planning, or not
        return c;
    });
}

TEST_CASE("MatMulInteger without zero points, batched rows") {
    NodeCase c{.op = "MatMulInteger"};
    c.inputs = {bytes(false, {3, 5, 20}, 1), bytes(true, {20, 18}, 2)};
    c.constant = {false, true};
    CHECK(check_variants(c, 1e-30, 0) > 0);
}

// Weights like trained ones: mostly small, some neighbours too large to be summed in 16 bits.
TEST_CASE("normally distributed weights, signed and unsigned rows") {
    for (const Sizes& s : kSizes) {
        for (const bool x_signed : {false, true}) {
            INFO(s.m << "x" << s.k << "x" << s.n);
            NodeCase c{.op = "MatMulInteger"};
            c.inputs = {bytes(x_signed, {s.m, s.k}, 3), random_ints<int8_t>({s.k, s.n}, 4, -30, 30)};
            std::mt19937 random(5);
            for (int8_t& w : c.inputs[1].span<int8_t>()) {
                if (random() % 100 == 0) w = random() % 2 ? 127 : -128;
            }
            for (uint8_t& x : c.inputs[0].span<uint8_t>()) x = random() % 3 ? x : x_signed ? 127 : 255;
            c.constant = {false, true};
            CHECK(check_variants(c, 1e-30, 0) > 0);
        }
    }
}

// The largest sums: pairs of products that would saturate 16 bits.
TEST_CASE("no intermediate saturates") {
    for (const int w : {127, -128}) {
        NodeCase c{.op = "MatMulInteger"};
        c.inputs = {random_ints<uint8_t>({9, 512}, 1, 255, 255), random_ints<int8_t>({512, 40}, 2, w, w)};
        c.constant = {false, true};
        NodeRunner runner(c);
        const auto expected = runner.reference();
        REQUIRE(expected.ok());
        CHECK((*expected)[0].span<int32_t>()[0] == 255 * 512 * w);
        CHECK(check_variants(c, 1e-30, 0) > 0);
    }
}

TEST_CASE("QLinearMatMul equals the reference to the bit") {
    sweep([](const Sizes& s, bool x_signed, bool w_signed, uint32_t seed) {
        const bool y_signed = seed % 3 == 0;
        const bool per_column = seed % 2 == 1;
        NodeCase c{.op = "QLinearMatMul"};
        c.inputs = {bytes(x_signed, {s.m, s.k}, seed),
                    Tensor::scalar(0.031f),
                    byte(x_signed, x_signed ? 3 : 120),
                    bytes(w_signed, {s.k, s.n}, seed + 1),
                    per_column ? random_tensor({s.n}, seed + 2, 0.001f, 0.02f) : Tensor::scalar(0.007f),
                    byte(w_signed, w_signed ? 0 : 128),
                    Tensor::scalar(0.05f * std::sqrt(static_cast<float>(s.k))),
                    byte(y_signed, y_signed ? -4 : 117)};
        c.constant = {false, true, true, true, true, true, true, true};
        return c;
    });
}

NodeCase fused(const Sizes& s, uint32_t seed) {
    NodeCase c{.op = "ai.coffer::QMatMul"};
    c.inputs = {bytes(false, {s.m, s.k}, seed),
                Tensor::scalar(0.02f),
                byte(false, 100),
                bytes(true, {s.k, s.n}, seed + 1),
                random_tensor({s.n}, seed + 2, 0.001f, 0.02f),
                Tensor(),
                Tensor::scalar(0.9f),
                byte(false, 90),
                random_ints<int32_t>({s.n}, seed + 3, -3000, 3000)};
    c.constant = {false, true, true, true, true, true, true, true, true};
    return c;
}

TEST_CASE("QMatMul: clamps, tables, float results, transposed weights") {
    const Sizes s{19, 45, 37};
    SECTION("Relu") {
        NodeCase c = fused(s, 5);
        c.attrs = {{"activation", std::string("Relu")}};
        CHECK(check_variants(c, 1e-30, 0) > 0);
    }
    SECTION("Clip") {
        NodeCase c = fused(s, 6);
        c.attrs = {{"activation", std::string("Clip")}, {"activation_params", PrivateVector<float>{-2, 6}}};
        CHECK(check_variants(c, 1e-30, 0) > 0);
    }
    SECTION("table") {
        NodeCase c = fused(s, 7);
        c.inputs.push_back(bytes(true, {256}, 8));
        c.constant.push_back(true);
        CHECK(check_variants(c, 1e-30, 0) > 0);
    }
    SECTION("float result, float bias") {
        NodeCase c = fused(s, 8);
        c.inputs[6] = c.inputs[7] = Tensor();
        c.inputs[8] = random_tensor({s.n}, 9);
        CHECK(check_variants(c, 1e-30, 0) > 0);
    }
    SECTION("float result, integer bias, Relu, parameters at run time") {
        NodeCase c = fused(s, 9);
        c.inputs[6] = c.inputs[7] = Tensor();
        c.attrs = {{"activation", std::string("Relu")}};
        c.constant[1] = c.constant[2] = false;
        CHECK(check_variants(c, 1e-30, 0) > 0);
    }
    SECTION("float x, quantized inside") {
        for (const bool float_result : {true, false}) {
            NodeCase c = fused({50, 700, 37}, 10);
            c.inputs[0] = random_tensor({50, 700}, 11, -1.5f, 4);
            c.inputs[1] = c.inputs[2] = Tensor();
            if (float_result) c.inputs[6] = c.inputs[7] = Tensor();
            CHECK(check_variants(c, 1e-30, 0) > 0);
        }
    }
    SECTION("transposed weights") {
        NodeCase c = fused(s, 12);
        c.inputs[3] = bytes(true, {s.n, s.k}, 13);
        c.attrs = {{"w_transposed", int64_t{1}}};
        CHECK(check_variants(c, 1e-30, 0) > 0);
    }
}

TEST_CASE("QMatMul refuses what makes no sense") {
    const auto refused = [](NodeCase c) {
        NodeRunner runner(c);
        return !runner.infer().ok();
    };
    NodeCase c = fused({4, 8, 16}, 1);
    CHECK_FALSE(refused(c));
    c.attrs = {{"activation", std::string("Tanh")}};
    CHECK(refused(c));
    c = fused({4, 8, 16}, 1);
    c.inputs[3] = bytes(true, {9, 16}, 1);
    CHECK(refused(c));
    c = fused({4, 8, 16}, 1);
    c.inputs[3] = Tensor();
    CHECK(refused(c));
    c = fused({4, 8, 16}, 1);
    c.inputs[4] = random_tensor({3}, 1, 0.1f, 1);
    CHECK(refused(c));
    c = fused({4, 8, 16}, 1);
    c.inputs[1] = Tensor();  // a float x is needed then
    CHECK(refused(c));
    // The result of a product with a vector has no columns that a bias could follow.
    NodeCase vector{.op = "ai.coffer::QMatMul"};
    vector.inputs = {random_tensor({2, 5, 3}, 1), Tensor(), Tensor(), bytes(false, {3}, 2),
                     Tensor::scalar(0.1f),        Tensor(), Tensor(), Tensor(),
                     random_tensor({2, 5}, 3)};
    CHECK(refused(vector));
    vector.inputs[8] = random_tensor({1}, 3);
    CHECK_FALSE(refused(vector));
}

}  // namespace
