// RNN, GRU and LSTM: the fast variants against the references, sequence lengths, and refused nodes.
#include "../kernels/plan_harness.hpp"

using namespace coffer;
using namespace coffer::testing;

namespace {

struct Layer {
    const char* op;
    int64_t gates;
    int64_t linear_before_reset = 0;
};
constexpr Layer kLayers[] = {{"RNN", 1}, {"GRU", 3}, {"GRU", 3, 1}, {"LSTM", 4}};

struct Size {
    int64_t seq, batch, input, hidden;
};

NodeCase layer(const Layer& l, const Size& s, const char* direction, bool batch_first, bool bias, bool initial) {
    const int64_t d = std::string_view(direction) == "bidirectional" ? 2 : 1;
    const Shape x = batch_first ? Shape{s.batch, s.seq, s.input} : Shape{s.seq, s.batch, s.input};
    const Shape state = batch_first ? Shape{s.batch, d, s.hidden} : Shape{d, s.batch, s.hidden};
    // As layers are initialised: larger weights make the recurrence chaotic and magnify rounding.
    const float k = 1 / std::sqrt(static_cast<float>(s.hidden));
    NodeCase c{.op = l.op, .outputs = l.gates == 4 ? 3u : 2u};
    c.inputs = {random_tensor(x, 1), random_tensor({d, l.gates * s.hidden, s.input}, 2, -k, k),
                random_tensor({d, l.gates * s.hidden, s.hidden}, 3, -k, k), Tensor(), Tensor()};
    if (bias) c.inputs[3] = random_tensor({d, 2 * l.gates * s.hidden}, 4);
    if (initial) {
        c.inputs.push_back(random_tensor(state, 5));
        if (l.gates == 4) c.inputs.push_back(random_tensor(state, 6));
    }
    c.constant = {false, true, true, true};
    c.attrs = {{"direction", std::string(direction)}, {"hidden_size", s.hidden}, {"layout", int64_t{batch_first}}};
    if (l.linear_before_reset) c.attrs.push_back({"linear_before_reset", int64_t{1}});
    return c;
}

Tensor lengths(std::vector<int32_t> values) {
    return Tensor::of<int32_t>(values);
}

std::string refusal(const NodeCase& c) {
    Status s = NodeRunner(c).infer();
    return s.ok() ? "" : s.error().message();
}

}  // namespace

TEST_CASE("recurrent layers agree with their references", "[rnn]") {
    for (const Layer& l : kLayers) {
        for (const Size& s : {Size{1, 1, 5, 8}, Size{3, 2, 4, 5}, Size{33, 1, 8, 8}, Size{5, 3, 17, 16},
                              Size{18, 5, 3, 33}, Size{2, 1, 1, 1}, Size{1, 1, 64, 64}}) {
            for (const char* direction : {"forward", "reverse", "bidirectional"}) {
                for (const bool batch_first : {false, true}) {
                    INFO(l.op << " seq " << s.seq << " batch " << s.batch << " input " << s.input << " hidden "
                              << s.hidden << ' ' << direction << " layout " << batch_first);
                    CHECK(check_variants(layer(l, s, direction, batch_first, s.seq != 5, s.batch != 2), 1e-5, 1e-4) >
                          0);
                }
            }
        }
    }
}

TEST_CASE("sequences may have lengths of their own", "[rnn]") {
    for (const Layer& l : kLayers) {
        NodeCase c = layer(l, {6, 4, 3, 7}, "bidirectional", false, true, true);
        c.inputs[4] = lengths({6, 0, 2, 2});
        CHECK(check_variants(c, 1e-5, 1e-4) > 0);
        for (const int32_t bad : {-1, 7}) {
            c.inputs[4] = lengths({6, 0, bad, 2});
            NodeRunner runner(c);
            REQUIRE(runner.infer().ok());  // the lengths are not known yet
            CHECK_FALSE(runner.reference().ok());
            std::vector<Tensor> outputs;
            CHECK_FALSE(runner.variant(0, kernels::available()[0], ops::Layout::kPlain, &outputs).ok());
            NodeCase known = c;
            known.constant.resize(5);
            known.constant[4] = true;
            CHECK(refusal(known).find("for 6 steps") != std::string::npos);
        }
    }
}

TEST_CASE("what the kernels do not do is left to the reference", "[rnn]") {
    NodeCase clip = layer(kLayers[3], {2, 1, 3, 4}, "forward", false, true, false);
    clip.attrs.push_back({"clip", 0.5f});
    CHECK(check_variants(clip, 0, 0) == 0);
    NodeCase coupled = layer(kLayers[3], {2, 1, 3, 4}, "forward", false, true, false);
    coupled.attrs.push_back({"input_forget", int64_t{1}});
    CHECK(check_variants(coupled, 0, 0) == 0);
    NodeCase relu = layer(kLayers[0], {2, 1, 3, 4}, "forward", false, true, false);
    relu.attrs.push_back({"activations", PrivateVector<PrivateString>{"Relu"}});
    CHECK(check_variants(relu, 0, 0) == 0);
}

TEST_CASE("activations take their parameters in order", "[rnn]") {
    // One unit without recurrence or bias: y = f(x).
    const auto run = [](const char* name, PrivateVector<float> alpha, PrivateVector<float> beta, float x) {
        NodeCase c{.op = "RNN"};
        for (const float v : {x, 1.0f, 0.0f}) {
            c.inputs.push_back(Tensor::create(DType::kFloat, {1, 1, 1}).value());
            c.inputs.back().span<float>()[0] = v;
        }
        c.attrs = {{"activations", PrivateVector<PrivateString>{name}},
                   {"activation_alpha", alpha},
                   {"activation_beta", beta}};
        auto r = NodeRunner(c).reference();
        if (!r.ok()) FAIL(r.error().message());
        return (*r)[0].span<float>()[0];
    };
    CHECK(run("Affine", {2}, {3}, 4) == 11);
    CHECK(run("LeakyRelu", {}, {}, -2) == Approx(-0.02));
    CHECK(run("leakyrelu", {0.5f}, {}, -2) == -1);
    CHECK(run("ThresholdedRelu", {3}, {}, 2) == 0);
    CHECK(run("ScaledTanh", {2}, {0.5f}, 1) == Approx(2 * std::tanh(0.5)));
    CHECK(run("HardSigmoid", {}, {}, 1) == Approx(0.7));
    CHECK(run("Elu", {2}, {}, -1) == Approx(2 * std::expm1(-1.0)));
    CHECK(run("Softsign", {}, {}, -1) == -0.5f);
    CHECK(run("Softplus", {}, {}, 100) == 100);
    CHECK(run("Relu", {}, {}, -1) == 0);
}

TEST_CASE("recurrent layers refuse steps without numbers, however many", "[rnn]") {
    const int64_t many = int64_t{1} << 31;
    for (const Shape& x : {Shape{many, many, 0}, Shape{many, 1, 0}}) {
        NodeCase c{.op = "RNN", .outputs = 2};
        c.inputs = {Tensor::create(DType::kFloat, x).value(), Tensor::create(DType::kFloat, {1, 1, 0}).value(),
                    random_tensor({1, 1, 1}, 1)};
        CHECK(refusal(c).find("not possible") != std::string::npos);
    }
}

TEST_CASE("recurrent layers refuse what makes no sense", "[rnn]") {
    const auto good = [] { return layer(kLayers[3], {2, 3, 4, 5}, "forward", false, true, true); };
    REQUIRE(refusal(good()).empty());
    const auto broken = [&](auto change) {
        NodeCase c = good();
        change(c);
        return refusal(c);
    };
    CHECK(broken([](NodeCase& c) {
              c.inputs[2] = random_tensor({1, 20, 6}, 1);
          }).find("do not fit") != std::string::npos);
    CHECK(broken([](NodeCase& c) {
              c.inputs[3] = random_tensor({1, 39}, 1);
          }).find("B has shape") != std::string::npos);
    CHECK(broken([](NodeCase& c) {
              c.inputs[6] = random_tensor({3, 1, 5}, 1);
          }).find("initial_c") != std::string::npos);
    CHECK(broken([](NodeCase& c) { c.inputs[4] = lengths({1, 2}); }).find("sequence_lens") != std::string::npos);
    CHECK(broken([](NodeCase& c) { c.attrs[0].value = std::string("sideways"); }).find("sideways") !=
          std::string::npos);
    CHECK(broken([](NodeCase& c) { c.attrs[1].value = int64_t{6}; }).find("hidden_size is 6") != std::string::npos);
    CHECK(broken([](NodeCase& c) { c.attrs[2].value = int64_t{2}; }).find("layout is 2") != std::string::npos);
    CHECK(broken([](NodeCase& c) { c.attrs.push_back({"clip", -1.0f}); }).find("clip") != std::string::npos);
    CHECK(broken([](NodeCase& c) {
              c.attrs.push_back({"activations", PrivateVector<PrivateString>{"Sigmoid", "Tanh"}});
          }).find("has 2 names, must be 3") != std::string::npos);
    CHECK(broken([](NodeCase& c) {
              c.attrs.push_back({"activations", PrivateVector<PrivateString>{"Sigmoid", "Tanh", "Sine"}});
          }).find("'Sine'") != std::string::npos);
}
