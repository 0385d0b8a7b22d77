// Attention and its relatives: masked rows and refused nodes. Ordinary values come from ONNX's own cases.
#include "../kernels/plan_harness.hpp"

using namespace coffer;
using namespace coffer::testing;

namespace {

NodeCase attention(const Shape& q, const Shape& kv) {
    return {.op = "Attention", .inputs = {random_tensor(q, 1), random_tensor(kv, 2), random_tensor(kv, 3)}};
}

std::string refusal(const NodeCase& c) {
    Status s = NodeRunner(c).infer();
    return s.ok() ? "" : s.error().message();
}

}  // namespace

TEST_CASE("one key gets all the attention", "[attention]") {
    const NodeCase c = attention({1, 2, 3, 4}, {1, 2, 1, 4});
    auto y = NodeRunner(c).reference();
    REQUIRE(y.ok());
    for (int64_t i = 0; i < 24; ++i) {
        CHECK((*y)[0].span<float>()[static_cast<size_t>(i)] ==
              c.inputs[2].span<float>()[static_cast<size_t>(i / 12 * 4 + i % 4)]);
    }
}

TEST_CASE("a query that may look nowhere gives zeros", "[attention]") {
    NodeCase c = attention({1, 1, 2, 4}, {1, 1, 3, 4});
    Tensor mask = Tensor::create(DType::kBool, {2, 3}).value();
    mask.span<bool>()[4] = true;  // query 1 sees key 1
    c.inputs.push_back(mask);
    auto y = NodeRunner(c).reference();
    REQUIRE(y.ok());
    for (size_t i = 0; i < 4; ++i) {
        CHECK((*y)[0].span<float>()[i] == 0);
        CHECK((*y)[0].span<float>()[4 + i] == c.inputs[2].span<float>()[4 + i]);
    }
}

TEST_CASE("no keys at all give zeros", "[attention]") {
    auto y = NodeRunner(attention({1, 1, 2, 4}, {1, 1, 0, 4})).reference();
    REQUIRE(y.ok());
    for (const float x : (*y)[0].span<float>()) CHECK(x == 0);
}

TEST_CASE("Attention refuses what makes no sense", "[attention]") {
    const auto good = [] { return attention({1, 4, 2, 8}, {1, 2, 3, 8}); };
    REQUIRE(refusal(good()).empty());
    const auto broken = [&](auto change) {
        NodeCase c = good();
        change(c);
        return refusal(c);
    };
    CHECK(refusal(attention({1, 3, 2, 8}, {1, 2, 3, 8})).find("3 query heads") != std::string::npos);
    CHECK(refusal(attention({1, 4, 2, 8}, {1, 2, 3, 7})).find("do not fit together") != std::string::npos);
    CHECK(refusal(attention({1, 2, 8}, {1, 2, 8})).find("for 0 heads") != std::string::npos);
    CHECK(refusal(attention({1, 0, 2, 8}, {1, 0, 3, 8})).find("0 query heads") != std::string::npos);
    CHECK(broken([](NodeCase& c) {
              c.attrs.push_back({"kv_num_heads", int64_t{2}});
          }).find("rank 3") != std::string::npos);
    CHECK(broken([](NodeCase& c) {
              c.attrs.push_back({"qk_matmul_output_mode", int64_t{4}});
          }).find("is 4") != std::string::npos);
    CHECK(broken([](NodeCase& c) {
              c.attrs.push_back({"left_window_size", int64_t{-2}});
          }).find("-2") != std::string::npos);
    CHECK(broken([](NodeCase& c) {
              c.attrs.push_back({"softmax_precision", int64_t{7}});
          }).find("is 7") != std::string::npos);
    CHECK(broken([](NodeCase& c) {
              c.inputs.push_back(random_tensor({2, 4}, 1));
          }).find("attn_mask (2, 4)") != std::string::npos);
    CHECK(broken([](NodeCase& c) {
              c.inputs.push_back(Tensor());
              c.inputs.push_back(random_tensor({1, 2, 5, 8}, 1));
          }).find("must come together") != std::string::npos);
}

TEST_CASE("nonpad_kv_seqlen must lie within the keys", "[attention]") {
    NodeCase c = attention({1, 1, 2, 4}, {1, 1, 3, 4});
    c.inputs.insert(c.inputs.end(), {Tensor(), Tensor(), Tensor()});
    for (const int64_t length : {int64_t{-1}, int64_t{4}, INT64_MIN}) {
        c.inputs.resize(6);
        c.inputs.push_back(Tensor::of<int64_t>(std::array{length}));
        CHECK_FALSE(NodeRunner(c).reference().ok());
    }
}

TEST_CASE("RotaryEmbedding refuses positions outside its cache", "[attention]") {
    NodeCase c{.op = "RotaryEmbedding",
               .inputs = {random_tensor({1, 2, 3, 4}, 1), random_tensor({5, 2}, 2), random_tensor({5, 2}, 3),
                          Tensor::create(DType::kInt64, {1, 3}).value()}};
    CHECK(NodeRunner(c).reference().ok());
    for (const int64_t bad : {int64_t{-1}, int64_t{5}, INT64_MAX}) {
        c.inputs[3].span<int64_t>()[2] = bad;
        CHECK_FALSE(NodeRunner(c).reference().ok());
    }
    c.attrs = {{"rotary_embedding_dim", int64_t{3}}};
    CHECK(refusal(c).find("rotates 3 of 4") != std::string::npos);
}

TEST_CASE("heads are no more than there are elements for them", "[attention]") {
    NodeCase c = attention({1, 1, 0}, {1, 1, 0});
    c.attrs = {{"q_num_heads", (int64_t{1} << 61) + 1}, {"kv_num_heads", int64_t{1}}};
    CHECK(refusal(c).find("for 2305843009213693953 heads") != std::string::npos);
    constexpr int64_t kMany = int64_t{1} << 40;
    const auto none = [](const Shape& shape) { return Tensor::create(DType::kFloat, shape).value(); };
    for (const char* op : {"Attention", "LinearAttention"}) {
        NodeCase wide{.op = op, .inputs = {none({0, 1, kMany}), none({0, 1, 1}), none({0, 1, kMany})}};
        wide.attrs = {{"q_num_heads", kMany}, {"kv_num_heads", int64_t{1}}};
        if (wide.op == "LinearAttention") wide.attrs.push_back({"update_rule", std::string("linear")});
        INFO(op);
        CHECK(refusal(wide).find("1099511627776 heads of 1099511627776 values") != std::string::npos);
    }
}
