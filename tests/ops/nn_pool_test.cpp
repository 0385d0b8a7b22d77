// Pooling: special values, refused nodes, and the fast variants against the references.
#include <limits>

#include "../kernels/plan_harness.hpp"

using namespace coffer;
using namespace coffer::testing;

namespace {

NodeCase pool(const char* op, Tensor x, Ints kernel, Ints strides = {}, Ints pads = {}, Ints dilations = {}) {
    NodeCase c{.op = op, .inputs = {std::move(x)}};
    c.attrs.push_back({"kernel_shape", std::move(kernel)});
    if (!strides.empty()) c.attrs.push_back({"strides", std::move(strides)});
    if (!pads.empty()) c.attrs.push_back({"pads", std::move(pads)});
    if (!dilations.empty()) c.attrs.push_back({"dilations", std::move(dilations)});
    return c;
}

Tensor bytes(DType t, const Shape& shape) {
    Tensor x = Tensor::create(t, shape).value();
    for (int64_t i = 0; i < x.elements(); ++i)
        store_int(x.view(), i, (i * 37 + 11) % 251 - (t == DType::kInt8 ? 125 : 0));
    return x;
}

std::string refusal(const NodeCase& c) {
    Status s = NodeRunner(c).infer();
    return s.ok() ? "" : s.error().message();
}

std::vector<float> run(const NodeCase& c, size_t output = 0) {
    auto r = NodeRunner(c).reference();
    if (!r.ok()) FAIL(r.error().message());
    std::vector<float> out;
    for (int64_t i = 0; i < (*r)[output].elements(); ++i) {
        out.push_back(static_cast<float>(load_double((*r)[output].view(), i)));
    }
    return out;
}

Tensor row(std::vector<float> values) {
    Tensor t = Tensor::create(DType::kFloat, {1, 1, static_cast<int64_t>(values.size())}).value();
    std::copy(values.begin(), values.end(), t.span<float>().begin());
    return t;
}

}  // namespace

TEST_CASE("pools agree with their references in both layouts", "[pool]") {
    for (const char* op : {"MaxPool", "AveragePool"}) {
        for (const int64_t channels : {1, 3, 4, 7, 8, 33, 40}) {
            for (const int64_t width : {5, 9, 31}) {
                INFO(op << " channels " << channels << " width " << width);
                const Shape shape{2, channels, 6, width};
                const auto x = [&] { return random_tensor(shape, 7); };
                CHECK(check_variants(pool(op, x(), {3, 3}), 1e-6, 1e-5) >= 2);
                CHECK(check_variants(pool(op, x(), {2, 2}, {2, 2}), 1e-6, 1e-5) >= 2);
                CHECK(check_variants(pool(op, x(), {3, 3}, {2, 1}, {1, 1, 1, 1}), 1e-6, 1e-5) >= 2);
                CHECK(check_variants(pool(op, x(), {2, 3}, {1, 2}, {0, 2, 1, 2}, {3, 2}), 1e-6, 1e-5) >= 2);
                NodeCase ceil = pool(op, x(), {3, 2}, {2, 2}, {1, 0, 1, 1});
                ceil.attrs.push_back({"ceil_mode", int64_t{1}});
                CHECK(check_variants(ceil, 1e-6, 1e-5) >= 2);
                NodeCase same = pool(op, x(), {3, 3}, {2, 2});
                same.attrs.push_back({"auto_pad", std::string("SAME_LOWER")});
                CHECK(check_variants(same, 1e-6, 1e-5) >= 2);
            }
        }
    }
}

TEST_CASE("average pools count padding when asked to", "[pool]") {
    NodeCase c = pool("AveragePool", random_tensor({1, 9, 5, 6}, 3), {3, 3}, {2, 2}, {1, 1, 1, 1});
    c.attrs.push_back({"count_include_pad", int64_t{1}});
    c.attrs.push_back({"ceil_mode", int64_t{1}});
    CHECK(check_variants(c, 1e-6, 1e-5) >= 2);
}

TEST_CASE("pools work on one and three spatial axes and on long rows", "[pool]") {
    for (const char* op : {"MaxPool", "AveragePool"}) {
        CHECK(check_variants(pool(op, random_tensor({2, 5, 37}, 1), {4}, {3}, {2, 1}), 1e-6, 1e-5) >= 2);
        CHECK(check_variants(pool(op, random_tensor({1, 5, 4, 5, 6}, 2), {2, 3, 2}, {1, 2, 2}, {1, 1, 0, 0, 1, 1}),
                             1e-6, 1e-5) >= 2);
        CHECK(check_variants(pool(op, random_tensor({1, 2, 3, 5000}, 3), {2, 7}, {1, 1}, {0, 3, 0, 3}), 1e-6, 1e-5) >=
              2);
        CHECK(check_variants(pool(op, random_tensor({1, 2, 3, 5000}, 3), {2, 7}, {1, 5}), 1e-6, 1e-5) >= 2);
        CHECK(check_variants(pool(op, random_tensor({1, 2, 1, 5000}, 3), {1, 2}, {1, 2000}), 1e-6, 1e-5) >= 2);
    }
}

TEST_CASE("max pools work on 8-bit integers", "[pool]") {
    for (const DType t : {DType::kInt8, DType::kUint8}) {
        for (const int64_t channels : {3, 16, 70}) {
            CHECK(check_variants(pool("MaxPool", bytes(t, {1, channels, 7, 40}), {3, 3}, {2, 1}, {1, 1, 1, 1}), 0,
                                 0) >= 2);
        }
    }
}

TEST_CASE("global pools agree with their references", "[pool]") {
    for (const char* op : {"GlobalAveragePool", "GlobalMaxPool"}) {
        for (const int64_t channels : {1, 7, 64, 65, 130}) {
            for (const Shape& spatial : {Shape{1, 1}, Shape{7, 7}, Shape{3, 1001}}) {
                const NodeCase c{.op = op, .inputs = {random_tensor({2, channels, spatial[0], spatial[1]}, 5)}};
                CHECK(check_variants(c, 1e-6, 1e-5) >= 2);
            }
        }
    }
}

TEST_CASE("NaN never wins a max pool and infinities do", "[pool]") {
    const float nan = std::numeric_limits<float>::quiet_NaN(), inf = std::numeric_limits<float>::infinity();
    const NodeCase c = pool("MaxPool", row({nan, 1, 2, nan, -inf, inf}), {2}, {2});
    CHECK(run(c) == std::vector<float>{1, 2, inf});
    CHECK(check_variants(c, 0, 0) >= 2);
}

TEST_CASE("a window between its taps is empty", "[pool]") {
    // Taps at -1 and 1 of a single element.
    const NodeCase max = pool("MaxPool", row({5}), {2}, {1}, {1, 1}, {2});
    CHECK(run(max) == std::vector<float>{-std::numeric_limits<float>::infinity()});
    CHECK(check_variants(max, 0, 0) >= 2);
    const NodeCase average = pool("AveragePool", row({5}), {2}, {1}, {1, 1}, {2});
    CHECK(run(average) == std::vector<float>{0});
    CHECK(check_variants(average, 0, 0) >= 2);
}

TEST_CASE("MaxPool tells where the first of equal values is", "[pool]") {
    NodeCase c = pool("MaxPool", row({3, 3, 1, 4}), {3}, {1});
    c.outputs = 2;
    CHECK(run(c, 1) == std::vector<float>{0, 3});
}

TEST_CASE("a huge kernel costs no more than its input", "[pool]") {
    const int64_t huge = int64_t{1} << 24;
    CHECK(run(pool("MaxPool", row({1, 2}), {huge}, {huge}, {huge, 0})).size() == 1);
}

TEST_CASE("steps that no window takes may be anything", "[pool]") {
    const int64_t huge = int64_t{1} << 62;
    for (const char* op : {"MaxPool", "AveragePool", "LpPool"}) {
        const NodeCase c = pool(op, random_tensor({1, 3, 1, 8}, 1), {1, 1}, {huge, 1}, {}, {huge, huge});
        CHECK(run(c).size() == 24);
        CHECK(check_variants(c, 1e-6, 1e-6) >= (std::string_view(op) == "LpPool" ? 0 : 1));
    }
    // 2^60 elements of padding before the input would have to be counted through.
    CHECK(refusal(pool("MaxPool", random_tensor({1, 1, 8, 8}, 1), {1, 1}, {huge, 1}, {huge / 2, 0, 0, 0}))
              .find("too large") != std::string::npos);
    // A window that sees padding alone, however large the axis beside the one without elements.
    NodeCase nothing = pool("MaxPool", Tensor::create(DType::kFloat, {1, 1, int64_t{1} << 20, 0}).value(),
                            {1 << 20, 1}, {}, {0, 1, 0, 0});
    CHECK(refusal(nothing).find("has no elements") != std::string::npos);
}

TEST_CASE("pools refuse what makes no sense", "[pool]") {
    const auto x = [] { return random_tensor({1, 2, 5, 5}, 1); };
    CHECK(refusal(pool("MaxPool", x(), {3})).find("kernel_shape has 1 values for 2") != std::string::npos);
    CHECK(refusal(pool("MaxPool", x(), {3, 0})).find("must be positive") != std::string::npos);
    CHECK(refusal(pool("AveragePool", x(), {3, 3}, {0, 1})).find("stride 0") != std::string::npos);
    CHECK(refusal(pool("AveragePool", x(), {3, 3}, {1, 1}, {1, 1})).find("pads has 2 values") != std::string::npos);
    CHECK(refusal(pool("AveragePool", x(), {3, 3}, {1, 1}, {-1, 0, 0, 0})).find("negative") != std::string::npos);
    CHECK(refusal(pool("MaxPool", x(), {6, 6})).find("does not fit 5") != std::string::npos);
    CHECK(refusal(pool("MaxPool", x(), {2, 2}, {1, 1}, {}, {INT64_MAX, 1})).find("too large") != std::string::npos);
    CHECK(refusal(pool("MaxPool", x(), {2, 2}, {1, 1}, {INT64_MAX, 0, INT64_MAX, 0})).find("too large") !=
          std::string::npos);
    NodeCase odd = pool("LpPool", x(), {2, 2});
    odd.attrs.push_back({"p", int64_t{0}});
    CHECK(refusal(odd).find("p is 0") != std::string::npos);
    NodeCase same = pool("MaxPool", x(), {2, 2});
    same.attrs.push_back({"auto_pad", std::string("SOME")});
    CHECK(refusal(same).find("auto_pad 'SOME'") != std::string::npos);
    CHECK_FALSE(refusal(pool("MaxPool", random_tensor({4, 4}, 1), {2})).empty());
}

TEST_CASE("MaxUnpool refuses indices outside its output", "[pool]") {
    Tensor indices = Tensor::create(DType::kInt64, {1, 1, 2}).value();
    NodeCase c{.op = "MaxUnpool", .inputs = {row({1, 2}), indices}};
    c.attrs = {{"kernel_shape", Ints{2}}, {"strides", Ints{2}}};
    indices.span<int64_t>()[1] = 3;
    CHECK(run(c) == std::vector<float>{1, 0, 0, 2});
    for (const int64_t bad : {int64_t{-1}, int64_t{4}, INT64_MAX}) {
        indices.span<int64_t>()[1] = bad;
        CHECK_FALSE(NodeRunner(c).reference().ok());
    }
}
