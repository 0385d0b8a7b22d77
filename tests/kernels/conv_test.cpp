// Conv, FusedConv and ConvTranspose: fast variants against the references, geometry by hand, refusals.
#include "plan_harness.hpp"

using namespace coffer;
using namespace coffer::testing;

namespace {

struct Geometry {
    Shape x, w;
    Ints strides = {}, pads = {}, dilations = {};
    int64_t group = 1;
    std::string auto_pad = "NOTSET";
    Ints output_padding = {}, output_shape = {};
};

std::vector<graph::Attr> attrs_of(const Geometry& g) {
    std::vector<graph::Attr> attrs = {{"group", g.group}, {"auto_pad", g.auto_pad}};
    if (!g.strides.empty()) attrs.push_back({"strides", g.strides});
    if (!g.pads.empty()) attrs.push_back({"pads", g.pads});
    if (!g.dilations.empty()) attrs.push_back({"dilations", g.dilations});
    if (!g.output_padding.empty()) attrs.push_back({"output_padding", g.output_padding});
    if (!g.output_shape.empty()) attrs.push_back({"output_shape", g.output_shape});
    return attrs;
}

NodeCase conv_case(const Geometry& g, bool bias, bool constant = true) {
    NodeCase c{.op = "Conv",
               .attrs = attrs_of(g),
               .inputs = {random_tensor(g.x, 1), random_tensor(g.w, 2)},
               .constant = {false, constant, constant}};
    if (bias) c.inputs.push_back(random_tensor({g.w[0]}, 3));
    return c;
}

Status infer(const std::string& op, const Geometry& g, Shape* out = nullptr) {
    NodeRunner runner({.op = op, .attrs = attrs_of(g), .inputs = {random_tensor(g.x, 1), random_tensor(g.w, 2)}});
    Status status = runner.infer();
    if (status.ok() && out) *out = runner.output_shape();
    return status;
}

double tolerance(const Geometry& g) {
    return 4e-7 * (4 + std::sqrt(double(g.w.elements(1, g.w.rank()))));
}

const std::vector<Geometry> kConvs = {
    // pointwise, with ragged channels and groups
    {.x = {2, 16, 5, 7}, .w = {24, 16, 1, 1}},
    {.x = {1, 5, 3, 3}, .w = {9, 5, 1, 1}},
    {.x = {1, 12, 4, 4}, .w = {30, 4, 1, 1}, .group = 3},
    {.x = {1, 8, 6, 6}, .w = {8, 8, 1, 1}, .strides = {2, 2}},
    {.x = {1, 8, 6, 6}, .w = {8, 8, 1, 1}, .pads = {1, 0, 0, 2}},
    // kernel rows joined: few channels, borders on every side
    {.x = {1, 3, 17, 19}, .w = {32, 3, 3, 3}, .strides = {2, 2}, .pads = {1, 1, 1, 1}},
    {.x = {2, 1, 9, 11}, .w = {5, 1, 5, 5}, .pads = {2, 2, 2, 2}},
    {.x = {1, 3, 21, 23}, .w = {17, 3, 7, 7}, .strides = {2, 2}, .pads = {3, 3, 3, 3}},
    {.x = {1, 16, 8, 9}, .w = {20, 16, 3, 3}, .pads = {1, 1, 1, 1}},
    {.x = {1, 4, 3, 3}, .w = {6, 4, 3, 3}, .pads = {3, 3, 3, 3}},
    {.x = {1, 1, 700}, .w = {10, 1, 300}, .strides = {7}, .pads = {150, 150}},
    {.x = {1, 24, 40}, .w = {13, 24, 9}, .pads = {4, 4}},
    // windows wider than the image
    {.x = {1, 2, 5, 4}, .w = {4, 2, 3, 9}, .pads = {1, 4, 1, 4}},
    {.x = {1, 8, 5, 4}, .w = {4, 8, 3, 9}, .strides = {1, 2}, .pads = {1, 6, 1, 5}},
    // one pointer a tap
    {.x = {1, 64, 10, 11}, .w = {70, 64, 3, 3}, .pads = {1, 1, 1, 1}},
    {.x = {1, 33, 9, 9}, .w = {16, 33, 5, 5}, .pads = {2, 2, 2, 2}},
    {.x = {1, 300, 5, 5}, .w = {8, 300, 3, 3}, .pads = {1, 1, 1, 1}},
    {.x = {1, 40, 13, 14}, .w = {21, 40, 3, 3}, .strides = {2, 3}, .pads = {0, 1, 2, 1}},
    {.x = {1, 6, 14, 14}, .w = {8, 6, 3, 3}, .pads = {2, 2, 2, 2}, .dilations = {2, 2}},
    {.x = {1, 35, 15}, .w = {8, 35, 5}, .dilations = {3}},
    {.x = {1, 64, 6, 6}, .w = {16, 64, 2, 17}, .pads = {0, 8, 1, 8}},
    {.x = {1, 5, 4, 5, 6}, .w = {7, 5, 3, 2, 3}, .strides = {1, 2, 1}, .pads = {1, 0, 1, 1, 1, 1}},
    {.x = {2, 40, 3, 4, 5}, .w = {9, 40, 2, 2, 2}},
    // a single output channel
    {.x = {1, 1, 300}, .w = {1, 1, 70}, .strides = {2}},
    {.x = {1, 32, 9, 12}, .w = {1, 32, 7, 3}, .pads = {3, 1, 3, 1}},
    {.x = {2, 40, 5, 6}, .w = {1, 40, 1, 1}},
    {.x = {1, 4, 6, 6}, .w = {2, 2, 3, 3}, .pads = {1, 1, 1, 1}, .group = 2},
    // grouped
    {.x = {1, 12, 7, 7}, .w = {20, 3, 3, 3}, .pads = {1, 1, 1, 1}, .group = 4},
    {.x = {2, 6, 7, 7}, .w = {12, 1, 3, 3}, .pads = {1, 1, 1, 1}, .group = 6},
    {.x = {1, 64, 5, 5}, .w = {64, 32, 3, 3}, .pads = {1, 1, 1, 1}, .group = 2},
    // depthwise: whole and ragged vectors, wide rows, strides, dilation, windows larger than the row
    {.x = {1, 32, 12, 23}, .w = {32, 1, 3, 3}, .pads = {1, 1, 1, 1}, .group = 32},
    {.x = {2, 19, 9, 10}, .w = {19, 1, 3, 3}, .strides = {2, 2}, .pads = {1, 1, 1, 1}, .group = 19},
    {.x = {1, 40, 11, 11}, .w = {40, 1, 5, 5}, .strides = {2, 1}, .pads = {2, 2, 2, 2}, .group = 40},
    {.x = {1, 8, 3, 2}, .w = {8, 1, 5, 7}, .pads = {2, 3, 2, 3}, .group = 8},
    {.x = {1, 16, 10, 10}, .w = {16, 1, 3, 3}, .pads = {2, 3, 2, 3}, .dilations = {2, 3}, .group = 16},
    {.x = {1, 16, 30}, .w = {16, 1, 4}, .strides = {3}, .pads = {0, 2}, .group = 16},
    {.x = {1, 24, 3, 4, 9}, .w = {24, 1, 2, 3, 3}, .pads = {0, 1, 1, 1, 1, 1}, .group = 24},
    // sizes from auto_pad
    {.x = {1, 3, 10, 11}, .w = {8, 3, 3, 4}, .strides = {2, 3}, .auto_pad = "SAME_UPPER"},
    {.x = {1, 33, 10, 11}, .w = {8, 33, 3, 4}, .strides = {2, 3}, .auto_pad = "SAME_LOWER"},
    {.x = {1, 3, 10, 11}, .w = {8, 3, 3, 4}, .pads = {1, 1, 1, 1}, .auto_pad = "VALID"},
    // nothing to do
    {.x = {0, 3, 10, 11}, .w = {8, 3, 3, 3}},
    {.x = {1, 3, 10, 11}, .w = {0, 3, 3, 3}},
};

}  // namespace

TEST_CASE("Conv agrees with its reference", "[conv]") {
    for (const Geometry& g : kConvs) {
        for (const bool bias : {false, true}) {
            INFO(to_text(g.x) << " by " << to_text(g.w) << " group " << g.group << " bias " << bias);
            CHECK(check_variants(conv_case(g, bias), tolerance(g), 1e-5) > 0);
        }
        CHECK(check_variants(conv_case(g, true, false), tolerance(g), 1e-5) > 0);  // weights known only at run time
    }
}

TEST_CASE("FusedConv adds the residual before the activation", "[conv]") {
    const std::vector<std::pair<std::string, PrivateVector<float>>> activations = {
        {"", {}},          {"Relu", {}},          {"Clip", {0, 6}}, {"Swish", {}},
        {"HardSwish", {}}, {"LeakyRelu", {0.2f}}, {"Tanh", {}}};
    for (const Geometry& g : kConvs) {
        if (g.x[0] == 0 || g.w[0] == 0) continue;
        for (const auto& [name, params] : activations) {
            INFO(to_text(g.x) << " by " << to_text(g.w) << " group " << g.group << " " << name);
            NodeCase c = conv_case(g, true);
            c.op = "ai.coffer::FusedConv";
            c.attrs.push_back({"activation", name});
            c.attrs.push_back({"activation_params", params});
            Shape out;
            REQUIRE(infer("Conv", g, &out).ok());
            c.inputs.push_back(random_tensor(out, 4, -3, 3));
            CHECK(check_variants(c, 4 * tolerance(g), 2e-5) > 0);
            c.inputs[2] = Tensor();
            CHECK(check_variants(c, 4 * tolerance(g), 2e-5) > 0);
        }
    }
}

TEST_CASE("ConvTranspose agrees with its reference", "[conv]") {
    const std::vector<Geometry> cases = {
        {.x = {1, 3, 4, 5}, .w = {3, 2, 3, 3}},
        {.x = {2, 16, 5, 4}, .w = {16, 24, 2, 2}, .strides = {2, 2}},
        {.x = {1, 6, 4, 4}, .w = {6, 5, 3, 3}, .strides = {2, 3}, .pads = {1, 0, 0, 1}, .group = 2},
        {.x = {1, 32, 4, 4},
         .w = {32, 20, 3, 3},
         .strides = {2, 2},
         .pads = {1, 1, 1, 1},
         .group = 2,
         .output_padding = {1, 1}},
        {.x = {1, 8, 5, 5}, .w = {8, 17, 3, 3}, .pads = {2, 2, 2, 2}, .dilations = {2, 2}},
        {.x = {1, 8, 9}, .w = {8, 4, 5}, .strides = {3}},
        {.x = {1, 4, 2, 3, 4}, .w = {4, 9, 2, 3, 2}, .strides = {2, 1, 2}},
        {.x = {1, 4, 3, 3}, .w = {4, 8, 3, 3}, .strides = {2, 2}, .auto_pad = "SAME_UPPER"},
        {.x = {1, 4, 3, 3}, .w = {4, 8, 3, 3}, .strides = {3, 2}, .output_shape = {10, 8}},
        {.x = {1, 4, 0, 3}, .w = {4, 8, 3, 3}},
    };
    for (const Geometry& g : cases) {
        for (const bool constant : {true, false}) {
            INFO(to_text(g.x) << " by " << to_text(g.w) << " group " << g.group);
            NodeCase c{.op = "ConvTranspose",
                       .attrs = attrs_of(g),
                       .inputs = {random_tensor(g.x, 1), random_tensor(g.w, 2), random_tensor({g.w[1] * g.group}, 3)},
                       .constant = {false, constant, true}};
            CHECK(check_variants(c, 1e-5, 1e-5) > 0);
        }
    }
}

TEST_CASE("Conv by hand", "[conv]") {
    Tensor x = Tensor::create(DType::kFloat, {1, 1, 3, 3}).value(),
           w = Tensor::create(DType::kFloat, {1, 1, 2, 2}).value();
    for (int i = 0; i < 9; ++i) x.span<float>()[i] = static_cast<float>(i);
    for (int i = 0; i < 4; ++i) w.span<float>()[i] = static_cast<float>(i + 1);
    const auto y = NodeRunner({.op = "Conv", .inputs = {x, w}}).reference();
    REQUIRE(y.ok());
    const auto v = (*y)[0].span<float>();
    CHECK(std::vector<float>(v.begin(), v.end()) == std::vector<float>{27, 37, 57, 67});
    // Scatter of the same kernel: corners see one product each.
    const auto t = NodeRunner({.op = "ConvTranspose", .inputs = {x, w}}).reference();
    REQUIRE(t.ok());
    CHECK((*t)[0].shape() == Shape{1, 1, 4, 4});
    CHECK((*t)[0].span<float>()[15] == 32.0f);
    CHECK((*t)[0].span<float>()[5] == 0 * 4 + 1 * 3 + 3 * 2 + 4 * 1);
}

TEST_CASE("Convolution sizes", "[conv]") {
    const auto out = [](const std::string& op, const Geometry& g) {
        Shape s;
        const Status status = infer(op, g, &s);
        return status.ok() ? to_text(s) : "error";
    };
    CHECK(out("Conv", {.x = {1, 1, 7, 5}, .w = {1, 1, 3, 3}, .strides = {2, 2}, .pads = {1, 0, 1, 0}}) ==
          "(1, 1, 4, 2)");
    CHECK(out("Conv", {.x = {1, 1, 5, 5}, .w = {1, 1, 3, 3}, .strides = {2, 2}, .auto_pad = "SAME_LOWER"}) ==
          "(1, 1, 3, 3)");
    CHECK(out("ConvTranspose", {.x = {1, 1, 3, 3}, .w = {1, 2, 3, 3}, .strides = {3, 2}, .output_padding = {1, 1}}) ==
          "(1, 2, 10, 8)");
    CHECK(out("ConvTranspose", {.x = {1, 1, 3, 3}, .w = {1, 2, 3, 3}, .strides = {3, 2}, .pads = {1, 2, 1, 2}}) ==
          "(1, 2, 7, 3)");
    CHECK(out("ConvTranspose", {.x = {1, 1, 3, 3}, .w = {1, 2, 3, 3}, .strides = {2, 2}, .auto_pad = "SAME_UPPER"}) ==
          "(1, 2, 6, 6)");
}

TEST_CASE("steps that no convolution takes may be anything", "[conv]") {
    const int64_t huge = int64_t{1} << 60;
    for (const Geometry& g : {
             Geometry{.x = {1, 16, 1, 4},
            .w = {16, 1, 1, 3},
            .strides = {huge, huge},
            .dilations = {huge, 1},
            .group = 16},
             Geometry{.x = {1, 16, 4, 4}, .w = {16, 1, 3, 3}, .strides = {huge, huge}, .group = 16},
             Geometry{.x = {1, 16, 4, 4}, .w = {16, 16, 1, 2}, .strides = {1, huge}},
             Geometry{.x = {1, 15, 4, 4}, .w = {16, 15, 1, 1}, .strides = {huge, huge}, .dilations = {huge, huge}},
         }) {
        INFO(to_text(g.x) << " by " << to_text(g.w));
        CHECK(check_variants(conv_case(g, true), tolerance(g), 1e-5) > 0);
    }
    const Geometry turned{.x = {1, 4, 1}, .w = {4, 1, 3}, .strides = {huge}, .pads = {1, 0}, .group = 4};
    NodeCase c{.op = "ConvTranspose", .attrs = attrs_of(turned)};
    c.inputs = {random_tensor(turned.x, 1), random_tensor(turned.w, 2)};
    c.constant = {false, true};
    CHECK(check_variants(c, 1e-6, 1e-5) > 0);
}

TEST_CASE("Convolutions refuse hostile attributes", "[conv]") {
    const int64_t huge = std::numeric_limits<int64_t>::max();
    const Shape x{1, 4, 8, 8}, w{6, 4, 3, 3};
    const std::vector<Geometry> bad = {
        {.x = x, .w = w, .strides = {0, 1}},
        {.x = x, .w = w, .strides = {1}},
        {.x = x, .w = w, .strides = {-1, 1}},
        {.x = x, .w = w, .pads = {-1, 0, 0, 0}},
        {.x = x, .w = w, .pads = {1, 1}},
        {.x = x, .w = w, .pads = {huge, 0, huge, 0}},
        {.x = x, .w = w, .dilations = {0, 1}},
        {.x = x, .w = w, .dilations = {huge, 1}},
        {.x = x, .w = w, .dilations = {4, 4}},
        {.x = x, .w = w, .group = 0},
        {.x = x, .w = w, .group = -4},
        {.x = x, .w = w, .group = 3},
        {.x = x, .w = {6, 2, 3, 3}},
        {.x = x, .w = {5, 2, 3, 3}, .group = 2},
        {.x = x, .w = {6, 4, 3}},
        {.x = x, .w = {6, 4, 0, 3}},
        {.x = {4, 8}, .w = {6, 4}},
        {.x = x, .w = w, .auto_pad = "SAME"},
        {.x = {1, 4, 2, 2}, .w = w},
        {.x = {1, 0, 8, 8}, .w = {6, 0, 3, 3}},
        {.x = {1, 4, 8, 0}, .w = w, .pads = {1, 3, 1, 3}},
        {.x = x, .w = w, .strides = {huge / 2, 1}, .pads = {huge / 4, 0, 0, 0}},
    };
    for (const Geometry& g : bad) {
        INFO(to_text(g.x) << " by " << to_text(g.w));
        const Status status = infer("Conv", g);
        REQUIRE_FALSE(status.ok());
        CHECK(const_cast<Status&>(status).error().code() == Code::kInvalidArgument);
    }
    const Shape wt{4, 6, 3, 3};
    const std::vector<Geometry> bad_transposed = {
        {.x = x, .w = wt, .output_padding = {-1, 0}},
        {.x = x, .w = wt, .output_padding = {1}},
        {.x = x, .w = wt, .output_shape = {1}},
        {.x = x, .w = wt, .output_shape = {-5, 5}},
        {.x = x, .w = wt, .strides = {huge, 1}},
        {.x = x, .w = wt, .pads = {huge, 0, huge, 0}},
        {.x = x, .w = wt, .pads = {9, 9, 9, 9}},
        {.x = x, .w = {3, 6, 3, 3}},
        {.x = x, .w = wt, .group = 3},
        {.x = {1, 0, 8, 8}, .w = {0, 6, 3, 3}},
    };
    for (const Geometry& g : bad_transposed) {
        INFO(to_text(g.x) << " by " << to_text(g.w));
        CHECK_FALSE(infer("ConvTranspose", g).ok());
    }
    NodeCase kernel_shape = conv_case({.x = x, .w = w}, false);
    kernel_shape.attrs.push_back({"kernel_shape", Ints{3, 5}});
    CHECK_FALSE(NodeRunner(kernel_shape).infer().ok());
    NodeCase bias = conv_case({.x = x, .w = w}, false);
    bias.inputs.push_back(random_tensor({5}, 1));
    CHECK_FALSE(NodeRunner(bias).infer().ok());
}
