// MatMul, Gemm and FusedMatMul: fast variants against the references, and nodes that must be refused.
#include "plan_harness.hpp"

using namespace coffer;
using namespace coffer::testing;

namespace {

double tolerance(int64_t k) {
    return 4e-7 * (4 + std::sqrt(static_cast<double>(k)));
}

graph::Attr attr(const char* name, int64_t value) {
    return {name, value};
}

Tensor ints(DType dtype, const Shape& shape, int64_t first) {
    Tensor t = Tensor::create(dtype, shape).value();
    for (int64_t i = 0; i < t.elements(); ++i) store_int(t.view(), i, first + i * 7 % 11);
    return t;
}

Code code_of(const NodeCase& node_case) {
    const Status status = NodeRunner(node_case).infer();
    return status.ok() ? Code::kOk : const_cast<Status&>(status).error().code();
}

}  // namespace

TEST_CASE("MatMul agrees with its reference for every tile remainder", "[gemm]") {
    for (const int64_t m : {1, 2, 3, 4, 5, 6, 7, 8, 11, 13, 97, 200}) {
        for (const int64_t n : {1, 3, 4, 7, 8, 9, 16, 17, 31, 33, 49, 300}) {
            for (const int64_t k : {1, 2, 7, 64, 259}) {
                for (const bool constant : {false, true}) {
                    INFO("m " << m << " k " << k << " n " << n << " constant B " << constant);
                    const NodeCase c{.op = "MatMul",
                                     .inputs = {random_tensor({m, k}, 1), random_tensor({k, n}, 2)},
                                     .constant = {false, constant}};
                    if (m * n * k > 2000000) continue;
                    CHECK(check_variants(c, tolerance(k), 1e-5) > 0);
                }
            }
        }
    }
}

TEST_CASE("MatMul slices deep sums", "[gemm]") {
    for (const int64_t m : {1, 3, 17}) {
        const NodeCase c{.op = "MatMul",
                         .inputs = {random_tensor({m, 1500}, 1), random_tensor({1500, 21}, 2)},
                         .constant = {false, m != 3}};
        CHECK(check_variants(c, tolerance(1500), 1e-5) > 0);
    }
}

TEST_CASE("MatMul broadcasts batches and vectors", "[gemm]") {
    const std::vector<std::pair<Shape, Shape>> shapes = {
        {{3, 5, 7}, {7, 9}},
        {{3, 5, 7}, {3, 7, 9}},
        {{2, 1, 5, 7}, {4, 7, 9}},
        {{5, 7}, {3, 7, 9}},
        {{2, 3, 20, 7}, {2, 3, 7, 9}},
        {{2, 3, 20, 7}, {1, 3, 7, 18}},
        {{7}, {7}},
        {{7}, {3, 7, 9}},
        {{3, 5, 7}, {7}},
        {{1, 1, 1}, {1, 1, 1}},
        {{0, 7}, {7, 9}},
        {{5, 0}, {0, 9}},
        {{2, 1, 2, 1, 2, 1, 3, 4}, {2, 1, 3, 1, 2, 4, 5}},
    };
    for (const auto& [a, b] : shapes) {
        for (const bool constant : {false, true}) {
            INFO(to_text(a) << " by " << to_text(b) << " constant B " << constant);
            const NodeCase c{
                .op = "MatMul", .inputs = {random_tensor(a, 1), random_tensor(b, 2)}, .constant = {false, constant}};
            CHECK(check_variants(c, 1e-5, 1e-5) > 0);
        }
    }
}

TEST_CASE("Gemm: transposes, factors and every broadcast of C", "[gemm]") {
    const int64_t m = 13, k = 29, n = 21;
    for (const int64_t trans_a : {0, 1}) {
        for (const int64_t trans_b : {0, 1}) {
            for (const Shape& bias :
                 {Shape{}, Shape{1}, Shape{n}, Shape{1, n}, Shape{m, 1}, Shape{m, n}, Shape{1, 1}}) {
                for (const bool constant : {false, true}) {
                    INFO(trans_a << trans_b << " C " << to_text(bias) << " constant B " << constant);
                    const NodeCase c{
                        .op = "Gemm",
                        .attrs = {attr("transA", trans_a), attr("transB", trans_b), {"alpha", 0.5f}, {"beta", -2.0f}},
                        .inputs = {random_tensor(trans_a ? Shape{k, m} : Shape{m, k}, 1),
                                   random_tensor(trans_b ? Shape{n, k} : Shape{k, n}, 2), random_tensor(bias, 3)},
                        .constant = {false, constant}};
                    CHECK(check_variants(c, 1e-5, 1e-5) > 0);
                }
            }
        }
    }
    const NodeCase bare{.op = "Gemm", .inputs = {random_tensor({3, 4}, 1), random_tensor({4, 5}, 2)}};
    CHECK(check_variants(bare, 1e-5, 1e-5) > 0);
}

TEST_CASE("FusedMatMul applies every activation, also in ragged columns and sliced sums", "[gemm]") {
    const std::vector<std::pair<std::string, PrivateVector<float>>> activations = {
        {"", {}},         {"Relu", {}},    {"Clip", {-0.5f, 0.75f}}, {"LeakyRelu", {0.1f}},         {"Sigmoid", {}},
        {"Tanh", {}},     {"Swish", {}},   {"HardSwish", {}},        {"HardSigmoid", {0.3f, 0.4f}}, {"Gelu", {}},
        {"GeluTanh", {}}, {"Elu", {0.7f}}, {"Swish", {1.5f}},
    };
    for (const auto& [name, params] : activations) {
        for (const int64_t k : {9, 600}) {
            for (const int64_t n : {5, 48}) {
                INFO(name << " k " << k << " n " << n);
                const float scale = k == 9 ? 1.0f : 0.2f;
                NodeCase c{.op = "ai.coffer::FusedMatMul",
                           .attrs = {{"activation", name}, {"activation_params", params}, {"alpha", 1.5f}},
                           .inputs = {random_tensor({2, 10, k}, 1, -scale, scale), random_tensor({k, n}, 2),
                                      random_tensor({n}, 3), random_tensor({2, 10, n}, 4)},
                           .constant = {false, true, true, false}};
                CHECK(check_variants(c, 4 * tolerance(k), 2e-5) > 0);
                c.inputs[2] = Tensor();
                CHECK(check_variants(c, 4 * tolerance(k), 2e-5) > 0);
            }
        }
    }
}

TEST_CASE("A clamp keeps NaN", "[gemm]") {
    Tensor a = random_tensor({7, 8}, 1);
    a.span<float>()[3] = NAN;
    const NodeCase c{.op = "ai.coffer::FusedMatMul",
                     .attrs = {{"activation", std::string("Relu")}},
                     .inputs = {a, random_tensor({8, 19}, 2)},
                     .constant = {false, true}};
    CHECK(check_variants(c, 1e-5, 1e-5) > 0);
}

TEST_CASE("Integer matrix products wrap and are exact", "[gemm]") {
    for (const DType t : {DType::kInt32, DType::kInt64, DType::kUint32, DType::kUint64}) {
        NodeRunner runner({.op = "MatMul", .inputs = {ints(t, {2, 3}, 1), ints(t, {3, 2}, 2)}});
        const auto out = runner.reference();
        REQUIRE(out.ok());
        // (1 8 4; 0 7 3) * (2 9; 5 1; 8 4), by hand from the sequence of ints().
        const Tensor a = ints(t, {2, 3}, 1), b = ints(t, {3, 2}, 2);
        for (int64_t i = 0; i < 2; ++i) {
            for (int64_t j = 0; j < 2; ++j) {
                int64_t sum = 0;
                for (int64_t k = 0; k < 3; ++k) sum += load_int(a.view(), i * 3 + k) * load_int(b.view(), k * 2 + j);
                CHECK(load_int((*out)[0].view(), i * 2 + j) == sum);
            }
        }
    }
    Tensor big = Tensor::create(DType::kInt64, {1, 1}).value();
    big.span<int64_t>()[0] = std::numeric_limits<int64_t>::max();
    const auto wrapped = NodeRunner({.op = "MatMul", .inputs = {big, big}}).reference();
    REQUIRE(wrapped.ok());
    CHECK((*wrapped)[0].span<int64_t>()[0] == 1);
}

TEST_CASE("Matrix ops refuse what does not fit", "[gemm]") {
    const Tensor f23 = random_tensor({2, 3}, 1), f45 = random_tensor({4, 5}, 2), scalar = random_tensor({}, 3);
    CHECK(code_of({.op = "MatMul", .inputs = {f23, f45}}) == Code::kInvalidArgument);
    CHECK(code_of({.op = "MatMul", .inputs = {f23, scalar}}) == Code::kInvalidArgument);
    CHECK(code_of({.op = "MatMul", .inputs = {ints(DType::kInt8, {2, 2}, 0), ints(DType::kInt8, {2, 2}, 0)}}) ==
          Code::kInvalidArgument);
    CHECK(code_of({.op = "MatMul", .inputs = {f23, ints(DType::kInt32, {3, 2}, 0)}}) == Code::kInvalidArgument);
    CHECK(code_of({.op = "MatMul", .inputs = {random_tensor({2, 2, 3}, 1), random_tensor({3, 3, 2}, 1)}}) ==
          Code::kInvalidArgument);
    CHECK(code_of({.op = "Gemm", .inputs = {f23, random_tensor({3, 2}, 1), random_tensor({3}, 1)}}) ==
          Code::kInvalidArgument);
    CHECK(code_of({.op = "Gemm", .inputs = {random_tensor({1, 3}, 1), random_tensor({3, 2}, 1), f23}}) ==
          Code::kInvalidArgument);
    CHECK(code_of({.op = "ai.coffer::FusedMatMul",
                   .attrs = {{"activation", std::string("Nonsense")}},
                   .inputs = {f23, random_tensor({3, 2}, 1)}}) == Code::kUnsupported);
    CHECK(code_of({.op = "ai.coffer::FusedMatMul",
                   .attrs = {{"activation", std::string("Clip")}, {"activation_params", PrivateVector<float>{1.0f}}},
                   .inputs = {f23, random_tensor({3, 2}, 1)}}) == Code::kInvalidArgument);
    CHECK(code_of({.op = "ai.coffer::FusedMatMul",
                   .inputs = {f23, random_tensor({3, 2}, 1), random_tensor({3}, 1)}}) == Code::kInvalidArgument);
}
