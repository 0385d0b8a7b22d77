// The smaller ops of ai.onnx.ml: known values and refused nodes.
#include "../kernels/plan_harness.hpp"

using namespace coffer;
using namespace coffer::testing;

namespace {

Tensor matrix(int64_t rows, std::vector<float> values) {
    Tensor t = Tensor::create(DType::kFloat, {rows, static_cast<int64_t>(values.size()) / rows}).value();
    std::copy(values.begin(), values.end(), t.span<float>().begin());
    return t;
}

std::vector<Tensor> run(const NodeCase& c) {
    auto r = NodeRunner(c).reference();
    if (!r.ok()) FAIL(r.error().message());
    return std::move(*r);
}
Floats floats(const Tensor& t) {
    return {t.span<float>().begin(), t.span<float>().end()};
}
Ints ints(const Tensor& t) {
    return {t.span<int64_t>().begin(), t.span<int64_t>().end()};
}

std::string refusal(const NodeCase& c) {
    Status s = NodeRunner(c).infer();
    return s.ok() ? "" : s.error().message();
}
NodeCase ml(const char* op, std::vector<Tensor> inputs, std::vector<graph::Attr> attrs, size_t outputs = 1) {
    return {.op = std::string("ai.onnx.ml::") + op,
            .attrs = std::move(attrs),
            .inputs = std::move(inputs),
            .outputs = outputs};
}

}  // namespace

TEST_CASE("Scaler, Imputer, Binarizer and Normalizer", "[ml]") {
    CHECK(floats(run(ml("Scaler", {matrix(2, {1, 2, 3, 4})},
                        {{"offset", Floats{1, 2}}, {"scale", Floats{10}}}))[0]) == Floats{0, 0, 20, 20});
    CHECK(floats(run(ml("Imputer", {matrix(1, {NAN, 2, NAN})},
                        {{"imputed_value_floats", Floats{7, 8, 9}}, {"replaced_value_float", NAN}}))[0]) ==
          Floats{7, 2, 9});
    CHECK(floats(run(ml("Binarizer", {matrix(1, {-1, 0.5f, 1})}, {{"threshold", 0.5f}}))[0]) == Floats{0, 0, 1});
    CHECK(floats(run(ml("Normalizer", {matrix(2, {3, -4, 0, 0})}, {{"norm", std::string("L2")}}))[0]) ==
          Floats{0.6f, -0.8f, 0, 0});
    CHECK(floats(run(ml("Normalizer", {matrix(1, {2, -4})}, {{"norm", std::string("MAX")}}))[0]) == Floats{1, -2});
    CHECK_FALSE(refusal(ml("Scaler", {matrix(1, {1, 2, 3})}, {{"scale", Floats{1, 2}}})).empty());
    CHECK_FALSE(refusal(ml("Imputer", {matrix(1, {1, 2})}, {})).empty());
    CHECK_FALSE(refusal(ml("Normalizer", {matrix(1, {1})}, {{"norm", std::string("L3")}})).empty());
}

TEST_CASE("LabelEncoder takes the first of equal keys and finds NaN", "[ml]") {
    const NodeCase c = ml(
        "LabelEncoder", {matrix(1, {2, NAN, -0.0f, 5})},
        {{"keys_floats", Floats{2, 2, NAN, 0}}, {"values_int64s", Ints{1, 9, 3, 4}}, {"default_int64", int64_t{-7}}});
    CHECK(ints(run(c)[0]) == Ints{1, 3, 4, -7});
    CHECK_FALSE(refusal(ml("LabelEncoder", {matrix(1, {1})}, {{"keys_floats", Floats{1}}})).empty());
    CHECK(refusal(ml("LabelEncoder", {matrix(1, {1})}, {{"keys_floats", Floats{1, 2}}, {"values_int64s", Ints{1}}}))
              .find("2 keys and 1 values") != std::string::npos);
    CHECK_FALSE(refusal(ml("LabelEncoder", {matrix(1, {1})}, {{"keys_int64s", Ints{1}}, {"values_int64s", Ints{1}}}))
                    .empty());
}

TEST_CASE("LabelEncoder with tens of thousands of keys", "[ml]") {
    Ints keys, values;
    for (int64_t i = 0; i < 50000; ++i) {
        keys.push_back((i * 7919) % 50021);
        values.push_back(i);
    }
    const Tensor x = Tensor::of<int64_t>(keys);
    CHECK(ints(run(ml("LabelEncoder", {x}, {{"keys_int64s", keys}, {"values_int64s", values}}))[0]) == values);
}

TEST_CASE("CategoryMapper, OneHotEncoder and FeatureVectorizer", "[ml]") {
    Tensor text = Tensor::create(DType::kString, {3}).value();
    text.span<PrivateString>()[0] = "b";
    text.span<PrivateString>()[1] = "a";
    text.span<PrivateString>()[2] = "c";
    CHECK(ints(run(ml("CategoryMapper", {text},
                      {{"cats_int64s", Ints{1, 2}}, {"cats_strings", Strings{"a", "b"}}}))[0]) == Ints{2, 1, -1});
    const std::vector<graph::Attr> cats = {{"cats_strings", Strings{"a", "b"}}};
    CHECK(floats(run(ml("OneHotEncoder", {text}, cats))[0]) == Floats{0, 1, 1, 0, 0, 0});
    NodeCase strict = ml("OneHotEncoder", {text}, cats);
    strict.attrs.push_back({"zeros", int64_t{0}});
    CHECK_FALSE(NodeRunner(strict).reference().ok());
    CHECK(floats(run(ml("FeatureVectorizer", {matrix(2, {1, 2}), matrix(2, {3, 4, 5, 6})}, {}))[0]) ==
          Floats{1, 3, 4, 2, 5, 6});
    CHECK_FALSE(refusal(ml("FeatureVectorizer", {matrix(2, {1, 2}), matrix(1, {3, 4})}, {})).empty());
}

TEST_CASE("ArrayFeatureExtractor refuses columns that are not there", "[ml]") {
    NodeCase c = ml("ArrayFeatureExtractor", {matrix(2, {1, 2, 3, 4, 5, 6}), Tensor::of<int64_t>(Ints{2, 0})}, {});
    CHECK(floats(run(c)[0]) == Floats{3, 1, 6, 4});
    for (const int64_t bad : {int64_t{3}, int64_t{-1}}) {
        c.inputs[1] = Tensor::of<int64_t>(Ints{bad});
        CHECK_FALSE(NodeRunner(c).reference().ok());
    }
}

TEST_CASE("linear models", "[ml]") {
    const auto two = run(ml("LinearClassifier", {matrix(2, {1, 0, -1, 0})},
                            {{"coefficients", Floats{1, 0}},
                             {"intercepts", Floats{0}},
                             {"classlabels_ints", Ints{5, 6}},
                             {"post_transform", std::string("LOGISTIC")}},
                            2));
    CHECK(ints(two[0]) == Ints{6, 5});
    CHECK(two[1].span<float>()[1] == Approx(0.7310586));
    CHECK(two[1].span<float>()[0] == Approx(0.2689414));
    CHECK(floats(run(ml(
              "LinearRegressor", {matrix(1, {1, 2})},
              {{"coefficients", Floats{1, 1, 2, 0}}, {"intercepts", Floats{0, 1}}, {"targets", int64_t{2}}}))[0]) ==
          Floats{3, 3});
    CHECK_FALSE(refusal(ml("LinearRegressor", {matrix(1, {1, 2})}, {{"coefficients", Floats{1}}})).empty());
    CHECK_FALSE(
        refusal(ml("LinearRegressor", {matrix(1, {1, 2})}, {{"coefficients", Floats{1, 1}}, {"targets", INT64_MAX}}))
            .empty());
}

TEST_CASE("support vector models refuse lists that do not fit", "[ml]") {
    const std::vector<graph::Attr> good = {
        {"coefficients", Floats{1, -1}}, {"support_vectors", Floats{0, 0, 1, 1}}, {"n_supports", int64_t{2}},
        {"rho", Floats{0.5f}},           {"kernel_type", std::string("RBF")},     {"kernel_params", Floats{1, 0, 0}}};
    const Floats y = floats(run(ml("SVMRegressor", {matrix(1, {0, 0})}, good))[0]);
    CHECK(y[0] == Approx(1.5 - std::exp(-2.0)));
    for (const char* name : {"coefficients", "support_vectors", "rho", "kernel_params"}) {
        std::vector<graph::Attr> bad = good;
        for (graph::Attr& a : bad) {
            if (a.name == name) a.value = name == std::string_view("rho") ? Floats{} : Floats{1};
        }
        INFO(name);
        CHECK_FALSE(refusal(ml("SVMRegressor", {matrix(1, {0, 0})}, bad)).empty());
    }
    CHECK_FALSE(refusal(ml("SVMClassifier", {matrix(1, {0, 0})},
                           {{"classlabels_ints", Ints{0, 1}}, {"vectors_per_class", Ints{1, INT64_MAX}}}, 2))
                    .empty());
    // Vectors of no features, without a pair of classes that has coefficients for them.
    CHECK(refusal(ml("SVMClassifier", {Tensor::create(DType::kFloat, {1, 0}).value()},
                     {{"classlabels_ints", Ints{7}}, {"vectors_per_class", Ints{(int64_t{1} << 61) - 5}}}, 2))
              .find("for 1 class") != std::string::npos);
}

TEST_CASE("map ops say that maps are not supported", "[ml]") {
    for (const char* op : {"ZipMap", "DictVectorizer", "CastMap"}) {
        Status s = NodeRunner(ml(op, {matrix(1, {1})}, {})).infer();
        REQUIRE_FALSE(s.ok());
        CHECK(s.error().code() == Code::kUnsupported);
    }
}
