// Quantized convolutions against the reference, on every instruction set: equal to the bit.
#include "kernels/plan_harness.hpp"

using namespace coffer;
using namespace coffer::testing;

namespace {

Tensor bytes(bool is_signed, const Shape& shape, uint32_t seed) {
    Tensor t = Tensor::create(is_signed ? DType::kInt8 : DType::kUint8, shape).value();
    std::mt19937 random(seed);
    for (uint8_t& x : t.span<uint8_t>()) x = static_cast<uint8_t>(random());
    return t;
}
Tensor byte(bool is_signed, int value) {
    return is_signed ? Tensor::scalar(static_cast<int8_t>(value)) : Tensor::scalar(static_cast<uint8_t>(value));
}

struct Conv {
    Shape x, w;
    int64_t group = 1;
    PrivateVector<int64_t> strides, pads, dilations;
    const char* auto_pad = "NOTSET";
};
const Conv kConvs[] = {
    {{1, 8, 6, 7}, {16, 8, 1, 1}, 1, {}, {}, {}},                 // pointwise
    {{2, 5, 6, 7}, {7, 5, 1, 1}, 1, {2, 2}, {}, {}},              // pointwise, strided
    {{1, 3, 11, 9}, {20, 3, 3, 3}, 1, {2, 2}, {1, 1, 1, 1}, {}},  // first layer of a network
    {{1, 16, 8, 8}, {32, 16, 3, 3}, 1, {1, 1}, {1, 1, 1, 1}, {}},
    {{1, 19, 9, 5}, {18, 19, 3, 2}, 1, {1, 2}, {0, 1, 2, 0}, {2, 1}},  // dilated, uneven
    {{2, 12, 7, 7}, {9, 4, 3, 3}, 3, {1, 1}, {1, 1, 1, 1}, {}},        // groups
    {{1, 40, 6, 6}, {80, 20, 1, 1}, 2, {}, {}, {}},                    // grouped pointwise
    {{1, 32, 10, 10}, {32, 1, 3, 3}, 32, {1, 1}, {1, 1, 1, 1}, {}},    // depthwise
    {{2, 20, 9, 8}, {20, 1, 5, 5}, 20, {2, 2}, {2, 2, 2, 2}, {}},
    {{1, 7, 9, 8}, {7, 1, 2, 3}, 7, {1, 1}, {0, 0, 1, 1}, {2, 2}},
    {{1, 16, 5, 3}, {16, 1, 7, 7}, 16, {1, 1}, {3, 3, 3, 3}, {}},  // window wider than the image
    {{1, 6, 4, 4}, {12, 1, 3, 3}, 6, {1, 1}, {1, 1, 1, 1}, {}},    // depthwise with a multiplier
    {{2, 6, 30}, {10, 6, 5}, 1, {2}, {2, 1}, {}},                  // one spatial axis
    {{1, 24, 17}, {24, 1, 3}, 24, {1}, {1, 1}, {}},
    {{1, 4, 5, 6, 4}, {6, 4, 2, 3, 3}, 1, {1, 2, 1}, {1, 1, 1, 0, 1, 1}, {}},  // three
    {{1, 16, 4, 5, 4}, {16, 1, 3, 3, 3}, 16, {1, 1, 1}, {1, 1, 1, 1, 1, 1}, {}},
    {{1, 8, 9, 9}, {8, 8, 3, 3}, 1, {2, 2}, {}, {}, "SAME_UPPER"},
    {{1, 8, 9, 9}, {8, 8, 2, 2}, 1, {2, 2}, {}, {}, "SAME_LOWER"},
};

std::vector<graph::Attr> attributes(const Conv& conv) {
    std::vector<graph::Attr> attrs = {{"group", conv.group}, {"auto_pad", std::string(conv.auto_pad)}};
    if (!conv.strides.empty()) attrs.push_back({"strides", conv.strides});
    if (!conv.pads.empty()) attrs.push_back({"pads", conv.pads});
    if (!conv.dilations.empty()) attrs.push_back({"dilations", conv.dilations});
    return attrs;
}

template <class Make>
void sweep(const Make& make) {
    uint32_t seed = 1;
    for (const Conv& conv : kConvs) {
        for (const bool x_signed : {false, true}) {
            for (const bool w_signed : {true, false}) {
                INFO(to_text(conv.x) << " by " << to_text(conv.w) << (x_signed ? " s8" : " u8")
                                     << (w_signed ? " s8" : " u8"));
                NodeCase c = make(conv, x_signed, w_signed, ++seed);
                c.attrs = attributes(conv);
                CHECK(check_variants(c, 1e-30, 0) > 0);
            }
        }
    }
}

TEST_CASE("QLinearConv equals the reference to the bit") {
    sweep([](const Conv& conv, bool x_signed, bool w_signed, uint32_t seed) {
        const int64_t out = conv.w[0];
        const float k = static_cast<float>(conv.w.elements(1, conv.w.rank()));
        NodeCase c{.op = "QLinearConv"};
        c.inputs = {bytes(x_signed, conv.x, seed),
                    Tensor::scalar(0.03f),
                    byte(x_signed, x_signed ? -9 : 119),
                    bytes(w_signed, conv.w, seed + 1),
                    seed % 2 ? random_tensor({out}, seed, 0.001f, 0.02f) : Tensor::scalar(0.009f),
                    w_signed ? byte(true, 0) : bytes(false, {out}, seed + 2),
                    Tensor::scalar(0.06f * std::sqrt(k)),
                    byte(x_signed, 11)};
        if (seed % 3) {
            c.inputs.push_back(Tensor::create(DType::kInt32, {out}).value());
            for (int32_t& b : c.inputs.back().span<int32_t>()) b = static_cast<int32_t>(seed++ * 2654435761u) >> 18;
        }
        c.constant = {false, true, true, true, true, true, true, true, true};
        return c;
    });
}

TEST_CASE("ConvInteger with small weights") {
    sweep([](const Conv& conv, bool x_signed, bool w_signed, uint32_t seed) {
        NodeCase c{.op = "ConvInteger"};
        c.inputs = {bytes(x_signed, conv.x, seed), bytes(true, conv.w, seed + 1)};
        for (int8_t& w : c.inputs[1].span<int8_t>()) w = static_cast<int8_t>(w_signed ? w / 3 : w / 2);
        c.constant = {false, true};
        return c;
    });
}

TEST_CASE("ConvInteger equals the reference to the bit") {
    sweep([](const Conv& conv, bool x_signed, bool w_signed, uint32_t seed) {
        NodeCase c{.op = "ConvInteger"};
        c.inputs = {bytes(x_signed, conv.x, seed), bytes(w_signed, conv.w, seed + 1), byte(x_signed, 77),
                    byte(w_signed, w_signed ? 5 : 140)};
        c.constant = {false, true, seed % 2 == 0, true};
        return c;
    });
}

TEST_CASE("QConv: tables, clamps, float results, float input") {
    const Conv convs[] = {kConvs[3], kConvs[7], kConvs[0]};
    for (const Conv& conv : convs) {
        const int64_t out = conv.w[0];
        NodeCase c{.op = "ai.coffer::QConv"};
        c.attrs = attributes(conv);
        c.inputs = {bytes(false, conv.x, 3),
                    Tensor::scalar(0.02f),
                    byte(false, 128),
                    bytes(true, conv.w, 4),
                    random_tensor({out}, 5, 0.001f, 0.01f),
                    Tensor(),
                    Tensor::scalar(0.07f),
                    byte(true, -3)};
        c.constant = {false, true, true, true, true, true, true, true, true, true};
        SECTION("clip") {
            c.attrs.push_back({"activation", std::string("Clip")});
            c.attrs.push_back({"activation_params", PrivateVector<float>{0, 6}});
            CHECK(check_variants(c, 1e-30, 0) > 0);
        }
        SECTION("table") {
            c.inputs.push_back(Tensor());
            c.inputs.push_back(bytes(false, {256}, 6));
            CHECK(check_variants(c, 1e-30, 0) > 0);
        }
        SECTION("float result") {
            c.inputs[6] = c.inputs[7] = Tensor();
            c.inputs.push_back(random_tensor({out}, 7));
            CHECK(check_variants(c, 1e-30, 0) > 0);
        }
        SECTION("float input") {
            c.inputs[0] = random_tensor(conv.x, 8, -2, 1);
            c.inputs[1] = c.inputs[2] = Tensor();
            CHECK(check_variants(c, 1e-30, 0) > 0);
        }
    }
}

TEST_CASE("convolutions refuse shapes that do not fit") {
    NodeCase c{.op = "ConvInteger"};
    c.inputs = {bytes(false, {1, 4, 5, 5}, 1), bytes(true, {8, 3, 3, 3}, 2)};
    CHECK_FALSE(NodeRunner(c).infer().ok());
    c.inputs[1] = bytes(true, {8, 4, 7, 7}, 2);  // larger than the image
    CHECK_FALSE(NodeRunner(c).infer().ok());
    c.inputs[1] = bytes(true, {8, 4, 3, 3}, 2);
    CHECK(NodeRunner(c).infer().ok());
    c.attrs = {{"group", int64_t{0}}};
    CHECK_FALSE(NodeRunner(c).infer().ok());
    c.attrs = {{"strides", PrivateVector<int64_t>{0, 1}}};
    CHECK_FALSE(NodeRunner(c).infer().ok());
    // Without channels nothing is summed, over taps that may be as many as one likes.
    const int64_t many = int64_t{1} << 31;
    c.attrs = {};
    c.inputs = {Tensor::create(DType::kUint8, {1, 0, many, many, many}).value(),
                Tensor::create(DType::kUint8, {1, 0, many, many, many}).value()};
    CHECK_FALSE(NodeRunner(c).infer().ok());
}

TEST_CASE("steps that no quantized convolution takes may be anything") {
    NodeCase c{.op = "ConvInteger", .constant = {false, true}};
    c.inputs = {bytes(false, {1, 3, 4, 4}, 1), bytes(true, {4, 3, 3, 3}, 2)};
    c.attrs = {{"strides", PrivateVector<int64_t>{1, int64_t{1} << 62}}};
    CHECK(check_variants(c, 1e-30, 0) > 0);
}

}  // namespace
