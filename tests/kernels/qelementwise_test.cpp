// QuantizeLinear, DequantizeLinear, DynamicQuantizeLinear and the element-wise 8-bit ops: every variant equals the
// reference to the bit, and the references agree with values worked out by hand.
#include "kernels/plan_harness.hpp"

using namespace coffer;
using namespace coffer::testing;

namespace {

Tensor bytes(DType type, const Shape& shape, uint32_t seed) {
    Tensor t = Tensor::create(type, shape).value();
    std::mt19937 random(seed);
    for (uint8_t& x : t.span<uint8_t>()) x = static_cast<uint8_t>(random());
    return t;
}
Tensor of_type(DType type, const Shape& shape, std::initializer_list<double> values) {
    Tensor t = Tensor::create(type, shape).value();
    int64_t i = 0;
    for (const double v : values) store_double(t.view(), i++, v);
    return t;
}
std::vector<double> run(const NodeCase& c) {
    NodeRunner runner(c);
    const auto result = runner.reference();
    if (!result.ok()) FAIL(result.error().message());
    std::vector<double> values;
    for (int64_t i = 0; i < (*result)[0].elements(); ++i) values.push_back(load_double((*result)[0].view(), i));
    return values;
}
bool refused(const NodeCase& c) {
    return !NodeRunner(c).infer().ok();
}

TEST_CASE("QuantizeLinear and DequantizeLinear variants") {
    for (const DType type : {DType::kUint8, DType::kInt8}) {
        for (const int64_t count : {1, 15, 16, 17, 1000, 40000}) {
            INFO(dtype_name(type) << " " << count);
            NodeCase q{.op = "QuantizeLinear"};
            q.inputs = {random_tensor({count}, 1, -9, 9), Tensor::scalar(0.05f), of_type(type, {}, {7})};
            q.constant = {false, true, true};
            CHECK(check_variants(q, 1e-30, 0) > 0);
            NodeCase d{.op = "DequantizeLinear"};
            d.inputs = {bytes(type, {count}, 2), Tensor::scalar(0.05f), of_type(type, {}, {-3})};
            d.constant = {false, true, true};
            CHECK(check_variants(d, 1e-30, 0) > 0);
        }
        NodeCase q{.op = "QuantizeLinear", .attrs = {{"axis", int64_t{1}}}};
        q.inputs = {random_tensor({3, 5, 37}, 3, -9, 9), random_tensor({5}, 4, 0.01f, 0.2f), bytes(type, {5}, 5)};
        q.constant = {false, true, true};
        CHECK(check_variants(q, 1e-30, 0) > 0);
        NodeCase d{.op = "DequantizeLinear", .attrs = {{"axis", int64_t{-2}}}};
        d.inputs = {bytes(type, {3, 5, 37}, 6), random_tensor({5}, 7, 0.01f, 0.2f), bytes(type, {5}, 8)};
        d.constant = {false, true, true};
        CHECK(check_variants(d, 1e-30, 0) > 0);
    }
}

TEST_CASE("QuantizeLinear rounds ties to even and saturates") {
    NodeCase c{.op = "QuantizeLinear"};
    c.inputs = {of_type(DType::kFloat, {8}, {1, 3, 5, -1, -3, 1e9, -1e9, NAN}), Tensor::scalar(2.0f),
                of_type(DType::kUint8, {}, {10})};
    c.constant = {false, true, true};
    CHECK(run(c) == std::vector<double>{10, 12, 12, 10, 8, 255, 0, 0});
    CHECK(check_variants(c, 1e-30, 0) > 0);
    c.inputs[2] = of_type(DType::kInt4, {}, {1});
    CHECK(run(c) == std::vector<double>{1, 3, 3, 1, -1, 7, -8, -8});
    c.inputs[2] = of_type(DType::kUint16, {}, {40000});
    CHECK(run(c) == std::vector<double>{40000, 40002, 40002, 40000, 39998, 65535, 0, 0});
}

TEST_CASE("QuantizeLinear to 8-bit floats") {
    NodeCase c{.op = "QuantizeLinear"};
    c.inputs = {of_type(DType::kFloat, {5}, {1, 464, 465, -1e6, 61440}), Tensor::scalar(1.0f),
                of_type(DType::kFloat8E4M3FN, {}, {0})};
    CHECK(run(c) == std::vector<double>{1, 448, 448, -448, 448});
    c.attrs = {{"saturate", int64_t{0}}};
    const auto values = run(c);
    CHECK(values[1] == 448);
    CHECK(std::isnan(values[2]));
    CHECK(std::isnan(values[3]));
    c.inputs[2] = of_type(DType::kFloat8E5M2, {}, {0});
    CHECK(run(c)[3] == -INFINITY);
    CHECK(run(c)[4] == INFINITY);
}

TEST_CASE("blocked scales, output_dtype, precision") {
    NodeCase c{.op = "DequantizeLinear", .attrs = {{"axis", int64_t{1}}, {"block_size", int64_t{2}}}};
    c.inputs = {of_type(DType::kInt4, {2, 3}, {1, 2, 3, -4, -5, -6}),
                of_type(DType::kFloat, {2, 2}, {1, 10, 100, 1000}), of_type(DType::kInt4, {2, 2}, {0, 1, 0, 0})};
    CHECK(run(c) == std::vector<double>{1, 2, 20, -400, -500, -6000});
    c.inputs[1] = of_type(DType::kFloat, {2, 3}, {1, 1, 1, 1, 1, 1});
    CHECK(refused(c));

    NodeCase q{.op = "QuantizeLinear", .attrs = {{"output_dtype", int64_t{static_cast<int>(DType::kInt16)}}}};
    q.inputs = {of_type(DType::kFloat, {2}, {-70000, 300}), Tensor::scalar(1.0f)};
    CHECK(run(q) == std::vector<double>{-32768, 300});
    q.inputs.push_back(of_type(DType::kInt8, {}, {0}));
    CHECK(refused(q));

    NodeCase half{.op = "QuantizeLinear", .attrs = {{"precision", int64_t{static_cast<int>(DType::kFloat16)}}}};
    half.inputs = {of_type(DType::kFloat, {1}, {2.4995}), Tensor::scalar(1.0f)};
    CHECK(run(half) == std::vector<double>{2});  // 2.5 in half precision, a tie
    half.inputs[1] = random_tensor({2, 2}, 1);
    CHECK(refused(half));
}

TEST_CASE("DynamicQuantizeLinear") {
    for (const auto& [low, high] : {std::pair<float, float>{-1, 3}, {2, 5}, {-4, -1}, {0, 0}}) {
        NodeCase c{.op = "DynamicQuantizeLinear", .outputs = 3};
        c.inputs = {random_tensor({70, 501}, 9, low, high)};
        CHECK(check_variants(c, 1e-30, 0) > 0);
    }
    // Extremes from which no zero point follows: an infinite scale, and one that underflows.
    for (const float x : {-std::numeric_limits<float>::infinity(), 1e-45f}) {
        NodeCase c{.op = "DynamicQuantizeLinear", .inputs = {of_type(DType::kFloat, {1}, {x})}, .outputs = 3};
        for (const kernels::ArchId arch : kernels::available()) {
            NodeRunner runner(c);
            REQUIRE(runner.infer().ok());
            std::vector<Tensor> outputs;
            const auto ran = runner.variant(0, arch, ops::Layout::kPlain, &outputs);
            REQUIRE((ran.ok() && *ran));
            CHECK(load_int(outputs[2].view(), 0) == 0);
        }
    }
}

TEST_CASE("QLinearAdd and QLinearMul") {
    const std::pair<Shape, Shape> shapes[] = {
        {{2, 3, 5, 7}, {2, 3, 5, 7}}, {{4, 33}, {33}}, {{1, 33}, {4, 33}}, {{5, 40}, {}}, {{1}, {3, 3, 3}},
        {{100, 200}, {1, 200}}};
    uint32_t seed = 1;
    for (const char* op : {"com.microsoft::QLinearAdd", "com.microsoft::QLinearMul"}) {
        for (const DType type : {DType::kUint8, DType::kInt8}) {
            for (const auto& [a, b] : shapes) {
                INFO(op << " " << dtype_name(type) << " " << to_text(a) << " " << to_text(b));
                NodeCase c{.op = op};
                c.inputs = {bytes(type, a, seed),     Tensor::scalar(0.02f),   of_type(type, {}, {5}),
                            bytes(type, b, seed + 1), Tensor::scalar(0.03f),   of_type(type, {}, {120}),
                            Tensor::scalar(0.05f),    of_type(type, {}, {100})};
                c.constant = {false, true, true, false, true, true, true, true};
                CHECK(check_variants(c, 1e-30, 0) > 0);
                ++seed;
            }
        }
    }
}

TEST_CASE("table ops") {
    for (const DType type : {DType::kUint8, DType::kInt8}) {
        for (const char* op : {"com.microsoft::QLinearSigmoid", "com.microsoft::QLinearLeakyRelu"}) {
            NodeCase c{.op = op};
            c.inputs = {bytes(type, {3, 7, 11, 2000}, 1), Tensor::scalar(0.05f), of_type(type, {}, {30}),
                        Tensor::scalar(0.01f), of_type(type, {}, {10})};
            c.constant = {false, true, true, true, true};
            CHECK(check_variants(c, 1e-30, 0) > 0);
        }
        NodeCase c{.op = "com.microsoft::QLinearConcat", .attrs = {{"axis", int64_t{1}}}};
        c.inputs = {Tensor::scalar(0.03f), of_type(type, {}, {9}),  bytes(type, {2, 3, 5}, 1),
                    Tensor::scalar(0.05f), of_type(type, {}, {30}), bytes(type, {2, 1, 5}, 2),
                    Tensor::scalar(0.02f), of_type(type, {}, {0})};
        c.constant = {true, true, false, true, true, false, true, true};
        CHECK(check_variants(c, 1e-30, 0) > 0);
        c.inputs.pop_back();
        CHECK(refused(c));
    }
}

TEST_CASE("quantized pools and softmax") {
    NodeCase c{.op = "com.microsoft::QLinearGlobalAveragePool"};
    c.inputs = {of_type(DType::kUint8, {1, 2, 1, 3}, {1, 2, 6, 10, 20, 31}), Tensor::scalar(0.5f),
                of_type(DType::kUint8, {}, {1}), Tensor::scalar(0.25f), of_type(DType::kUint8, {}, {3})};
    CHECK(run(c) == std::vector<double>{7, 42});  // means 1 and 9.667
    c.attrs = {{"channels_last", int64_t{1}}};
    c.inputs[0] = of_type(DType::kUint8, {1, 3, 2}, {1, 10, 2, 20, 6, 31});
    CHECK(run(c) == std::vector<double>{7, 42});

    NodeCase pool{.op = "com.microsoft::QLinearAveragePool", .attrs = {{"kernel_shape", PrivateVector<int64_t>{2}}}};
    pool.inputs = {of_type(DType::kInt8, {1, 1, 3}, {-4, 2, 8}), Tensor::scalar(1.0f), of_type(DType::kInt8, {}, {0}),
                   Tensor::scalar(0.5f), of_type(DType::kInt8, {}, {1})};
    CHECK(run(pool) == std::vector<double>{-1, 11});

    NodeCase soft{.op = "com.microsoft::QLinearSoftmax", .attrs = {{"opset", int64_t{13}}}};
    soft.inputs = {of_type(DType::kUint8, {2, 2}, {5, 5, 0, 255}), Tensor::scalar(1.0f),
                   of_type(DType::kUint8, {}, {0}), Tensor::scalar(1 / 256.0f), of_type(DType::kUint8, {}, {0})};
    CHECK(run(soft) == std::vector<double>{128, 128, 0, 255});
}

TEST_CASE("QGemm, MatMulIntegerToFloat, DynamicQuantizeMatMul") {
    const Tensor a = bytes(DType::kUint8, {9, 21}, 1), b = bytes(DType::kInt8, {21, 19}, 2);
    const Tensor sa = Tensor::scalar(0.02f), sb = random_tensor({19}, 3, 0.01f, 0.02f);
    const Tensor za = of_type(DType::kUint8, {}, {99}), zb = of_type(DType::kInt8, {}, {-5});
    NodeCase c{.op = "com.microsoft::QGemm", .attrs = {{"alpha", 0.7f}}};
    c.inputs = {a,
                sa,
                za,
                b,
                sb,
                zb,
                of_type(DType::kInt32, {1}, {300}),
                Tensor::scalar(0.3f),
                of_type(DType::kUint8, {}, {128})};
    c.constant = {false, true, true, true, true, true, true, true, true};
    CHECK(check_variants(c, 1e-30, 0) > 0);
    c.inputs.resize(7);
    CHECK(check_variants(c, 1e-30, 0) > 0);

    NodeCase f{.op = "com.microsoft::MatMulIntegerToFloat"};
    f.inputs = {a, b, sa, sb, za, zb, random_tensor({19}, 4)};
    f.constant = {false, true, false, true, false, true, true};
    CHECK(check_variants(f, 1e-30, 0) > 0);

    NodeCase d{.op = "com.microsoft::DynamicQuantizeMatMul"};
    d.inputs = {random_tensor({2, 9, 21}, 5, -3, 2), b, sb, zb, random_tensor({19}, 6)};
    d.constant = {false, true, true, true, true};
    CHECK(check_variants(d, 1e-30, 0) > 0);
}

TEST_CASE("MatMulNBits") {
    for (const int64_t bits : {4, 8}) {
        for (const bool zeros : {false, true}) {
            const int64_t k = 70, n = 21, blocks = 3;
            NodeCase c{.op = "com.microsoft::MatMulNBits",
                       .attrs = {{"K", k}, {"N", n}, {"bits", bits}, {"block_size", int64_t{32}}}};
            c.inputs = {random_tensor({6, k}, 1), bytes(DType::kUint8, {n, blocks, 32 * bits / 8}, 2),
                        random_tensor({n * blocks}, 3, 0.01f, 0.03f)};
            if (zeros) c.inputs.push_back(bytes(DType::kUint8, {n, (blocks * bits + 7) / 8}, 4));
            c.constant = {false, true, true, true};
            CHECK(check_variants(c, 1e-4, 1e-4) > 0);
            c.inputs[2] = random_tensor({n}, 5);
            CHECK(refused(c));
        }
    }
}

}  // namespace
