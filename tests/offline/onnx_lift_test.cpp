// Old opsets in, newest form out.
#include "import_case.hpp"

using namespace coffer;
using namespace coffer::testing;
using graph::kAbsent;

namespace {

// The last node of a model, and its inputs.
struct Lifted {
    graph::Model model;
    const graph::Graph& graph() const { return model.graphs[0]; }
    const graph::Node& node() const { return graph().nodes.back(); }
    template <class T>
    std::vector<T> input(size_t i) const {
        return elements<T>(constant(model, graph(), node().inputs.at(i)));
    }
    bool has_input(size_t i) const { return i < node().inputs.size() && node().inputs[i] != kAbsent; }
};

Lifted lifted(int64_t version, const Pb& n, Names outputs = {"y"}, std::initializer_list<Pb> initializers = {}) {
    return {imported(one_node(version, n, outputs, initializers))};
}
std::string refused(int64_t version, const Pb& n, Names outputs = {"y"}) {
    return failure(one_node(version, n, outputs));
}
using Ints = std::vector<int64_t>;

}  // namespace

TEST_CASE("axes of Squeeze, Unsqueeze and the reductions become input 1") {
    for (const char* op : {"Squeeze", "Unsqueeze", "ReduceSum"}) {
        CHECK(lifted(11, node(op, {"x"}, {"y"}, {attr_ints("axes", {0, -1})})).input<int64_t>(1) == Ints{0, -1});
    }
    for (const char* op : {"ReduceMean", "ReduceMax", "ReduceMin", "ReduceProd", "ReduceL1", "ReduceL2",
                           "ReduceLogSum", "ReduceLogSumExp", "ReduceSumSquare"}) {
        const Lifted l = lifted(13, node(op, {"x"}, {"y"}, {attr_ints("axes", {1}), attr_i("keepdims", 0)}));
        CHECK(l.input<int64_t>(1) == Ints{1});
        CHECK(l.node().find("axes") == nullptr);
        CHECK(attr<int64_t>(l.node(), "keepdims") == 0);
    }
    CHECK_FALSE(lifted(11, node("Squeeze", {"x"}, {"y"})).has_input(1));
}

TEST_CASE("Slice of opset 7") {
    const Lifted l = lifted(
        7, node("Slice", {"x"}, {"y"}, {attr_ints("starts", {1}), attr_ints("ends", {2}), attr_ints("axes", {0})}));
    CHECK(l.input<int64_t>(1) == Ints{1});
    CHECK(l.input<int64_t>(2) == Ints{2});
    CHECK(l.input<int64_t>(3) == Ints{0});
    CHECK(l.node().attrs.empty());
}

TEST_CASE("Pad of opset 7") {
    const Lifted l =
        lifted(7, node("Pad", {"x"}, {"y"}, {attr_ints("pads", {0, 1, 0, 1, 0, 1}), attr_f("value", 2.5f)}));
    CHECK(l.input<int64_t>(1) == Ints{0, 1, 0, 1, 0, 1});
    CHECK(l.input<float>(2) == std::vector<float>{2.5f});
    CHECK_FALSE(lifted(7, node("Pad", {"x"}, {"y"}, {attr_ints("pads", {0, 0, 0, 0, 0, 0})})).has_input(2));
}

TEST_CASE("Clip of opset 6 takes bounds of its input's type") {
    const Lifted l = lifted(7, node("Clip", {"x"}, {"y"}, {attr_f("min", 0), attr_f("max", 6)}));
    CHECK(l.input<float>(1) == std::vector<float>{0});
    CHECK(l.input<float>(2) == std::vector<float>{6});
    const Lifted open = lifted(7, node("Clip", {"x"}, {"y"}, {attr_f("max", 6)}));
    CHECK_FALSE(open.has_input(1));
    // Through ops that keep the type, and when it is not known.
    Pb g = graph_pb({node("Cast", {"x"}, {"d"}, {attr_i("to", 11)}), node("Relu", {"d"}, {"r"}),
                     node("Clip", {"r"}, {"y"}, {attr_f("min", 1)})},
                    {value_info("x", DType::kFloat, {3})}, {name_only("y")});
    const Lifted wide{imported(model(g, 7))};
    CHECK(wide.input<double>(1) == std::vector<double>{1});
    g = graph_pb({node("Mystery", {"x"}, {"m"}), node("Clip", {"m"}, {"y"}, {attr_f("min", 1)})},
                 {value_info("x", DType::kFloat, {3})}, {name_only("y")});
    CHECK(ops_of(imported(model(g, 7)).graphs[0]) == "Mystery CastLike Clip");
}

TEST_CASE("Split sizes become an input, equal parts a number") {
    const Lifted l = lifted(11, node("Split", {"x"}, {"y", "z"}, {attr_ints("split", {1, 2}), attr_i("axis", 1)}));
    CHECK(l.input<int64_t>(1) == Ints{1, 2});
    CHECK(l.node().find("num_outputs") == nullptr);
    CHECK(attr<int64_t>(lifted(11, node("Split", {"x"}, {"y", "z"})).node(), "num_outputs") == 2);
    CHECK(attr<int64_t>(lifted(13, node("Split", {"x"}, {"y", "z"})).node(), "num_outputs") == 2);
    CHECK(attr<int64_t>(lifted(18, node("Split", {"x"}, {"y", "z"}, {attr_i("num_outputs", 2)})).node(),
                        "num_outputs") == 2);
}

TEST_CASE("TopK and DFT attributes become inputs") {
    const Lifted l = lifted(9, node("TopK", {"x"}, {"y", "i"}, {attr_i("k", 2)}));
    CHECK(l.input<int64_t>(1) == Ints{2});
    CHECK_THAT(refused(9, node("TopK", {"x"}, {"y", "i"})), Catch::Contains("'k' is missing"));
    const Lifted dft = lifted(17, node("DFT", {"x"}, {"y"}));
    CHECK(dft.node().inputs.at(1) == kAbsent);
    CHECK(dft.input<int64_t>(2) == Ints{1});
    CHECK(lifted(20, node("DFT", {"x"}, {"y"})).node().inputs.size() == 1);
}

TEST_CASE("Softmax before opset 13 works on the flattened matrix") {
    for (const char* op : {"Softmax", "LogSoftmax", "Hardmax"}) {
        const Lifted flat = lifted(11, node(op, {"x"}, {"y"}));
        CHECK(ops_of(flat.graph()) == "Shape Flatten " + std::string(op) + " Reshape");
        CHECK(attr<int64_t>(flat.graph().nodes[1], "axis") == 1);
        CHECK(attr<int64_t>(flat.graph().nodes[2], "axis") == -1);
        CHECK(flat.graph().values[flat.node().outputs[0]].name == "y");
        CHECK(ops_of(lifted(11, node(op, {"x"}, {"y"}, {attr_i("axis", 2)})).graph()) == op);
        CHECK(ops_of(lifted(11, node(op, {"x"}, {"y"}, {attr_i("axis", -1)})).graph()) == op);
        CHECK(ops_of(lifted(13, node(op, {"x"}, {"y"}, {attr_i("axis", 1)})).graph()) == op);
    }
}

TEST_CASE("Upsample and old Resize place samples asymmetrically, rounding down") {
    const auto check = [](const Lifted& l) {
        CHECK(l.node().op == "Resize");
        CHECK(l.node().inputs[1] == kAbsent);
        CHECK(l.input<float>(2) == std::vector<float>{1, 2, 2});
        CHECK(attr<std::string>(l.node(), "coordinate_transformation_mode") == "asymmetric");
        CHECK(attr<std::string>(l.node(), "nearest_mode") == "floor");
        CHECK(attr<std::string>(l.node(), "mode") == "linear");
        CHECK(l.node().find("scales") == nullptr);
    };
    const Pb scales = tensor("s", DType::kFloat, {3}, raw_of<float>({1, 2, 2}));
    check(lifted(7, node("Upsample", {"x"}, {"y"}, {attr_floats("scales", {1, 2, 2}), attr_s("mode", "linear")})));
    check(lifted(9, node("Upsample", {"x", "s"}, {"y"}, {attr_s("mode", "linear")}), {"y"}, {scales}));
    check(lifted(10, node("Resize", {"x", "s"}, {"y"}, {attr_s("mode", "linear")}), {"y"}, {scales}));
    CHECK_THAT(refused(10, node("Upsample", {"x", "x"}, {"y"})), Catch::Contains("does not exist any more"));
    CHECK_THAT(refused(9, node("Upsample", {"x"}, {"y"})), Catch::Contains("has no scales"));
}

TEST_CASE("empty roi, scales and sizes of Resize are absent") {
    const Pb empty = tensor("e", DType::kFloat, {0}, ""),
             sizes = tensor("s", DType::kInt64, {3}, raw_of<int64_t>({2, 6, 8}));
    const Lifted l = lifted(11, node("Resize", {"x", "e", "e", "s"}, {"y"}), {"y"}, {empty, sizes});
    CHECK_FALSE(l.has_input(1));
    CHECK_FALSE(l.has_input(2));
    CHECK(l.input<int64_t>(3) == Ints{2, 6, 8});
    CHECK(l.node().find("coordinate_transformation_mode") == nullptr);
}

TEST_CASE("renamed modes and changed defaults of samplers") {
    CHECK(attr<std::string>(lifted(16, node("GridSample", {"x", "x"}, {"y"})).node(), "mode") == "linear");
    CHECK(attr<std::string>(lifted(16, node("GridSample", {"x", "x"}, {"y"}, {attr_s("mode", "bicubic")})).node(),
                            "mode") == "cubic");
    CHECK(attr<std::string>(lifted(16, node("GridSample", {"x", "x"}, {"y"}, {attr_s("mode", "nearest")})).node(),
                            "mode") == "nearest");
    CHECK(lifted(20, node("GridSample", {"x", "x"}, {"y"})).node().find("mode") == nullptr);
    CHECK(attr<std::string>(lifted(10, node("RoiAlign", {"x", "x", "x"}, {"y"})).node(),
                            "coordinate_transformation_mode") == "output_half_pixel");
    CHECK(lifted(16, node("RoiAlign", {"x", "x", "x"}, {"y"})).node().find("coordinate_transformation_mode") ==
          nullptr);
}

TEST_CASE("BatchNormalization loses its training outputs and spatial") {
    const Pb n = node("BatchNormalization", {"x", "x", "x", "x", "x"}, {"y", "", ""}, {attr_i("spatial", 1)});
    const Lifted l = lifted(7, n);
    CHECK(l.node().outputs.size() == 1);
    CHECK(l.node().find("spatial") == nullptr);
    CHECK_THAT(refused(7, node("BatchNormalization", {"x", "x", "x", "x", "x"}, {"y"}, {attr_i("spatial", 0)})),
               Catch::Contains("spatial = 0"));
    CHECK_THAT(refused(9, node("BatchNormalization", {"x", "x", "x", "x", "x"}, {"y", "m"})),
               Catch::Contains("training only"));
}

TEST_CASE("GroupNormalization spreads scale and bias from groups to channels") {
    const Lifted l = lifted(18, node("GroupNormalization", {"x", "s", "s"}, {"y"}, {attr_i("num_groups", 3)}), {"y"},
                            {tensor("s", DType::kFloat, {3}, raw_of<float>({1, 2, 3}))});
    CHECK(ops_of(l.graph()) == "Shape Div Concat Reshape Expand Reshape Reshape Expand Reshape GroupNormalization");
    CHECK(ops_of(lifted(21, node("GroupNormalization", {"x", "x", "x"}, {"y"}, {attr_i("num_groups", 3)})).graph()) ==
          "GroupNormalization");
}

TEST_CASE("Dropout is Identity unless its mask or training is wanted") {
    const auto op = [](const Lifted& l) { return l.node().op; };
    CHECK(op(lifted(7, node("Dropout", {"x"}, {"y"}, {attr_f("ratio", 0.3f)}))) == "Identity");
    CHECK(lifted(7, node("Dropout", {"x"}, {"y"}, {attr_f("ratio", 0.3f)})).node().attrs.empty());
    CHECK(op(lifted(10, node("Dropout", {"x"}, {"y", "mask"}))) == "Dropout");
    CHECK_THAT(refused(7, node("Dropout", {"x"}, {"y", "mask"})), Catch::Contains("mask output before opset 10"));
    const Pb off = tensor("t", DType::kBool, {}, std::string(1, '\0')), on = tensor("t", DType::kBool, {}, "\x01");
    CHECK(op(lifted(13, node("Dropout", {"x", "", "t"}, {"y"}), {"y"}, {off})) == "Identity");
    CHECK(op(lifted(13, node("Dropout", {"x", "", "t"}, {"y"}), {"y"}, {on})) == "Dropout");
}

TEST_CASE("Scatter is ScatterElements") {
    CHECK(lifted(9, node("Scatter", {"x", "x", "x"}, {"y"}, {attr_i("axis", 1)})).node().op == "ScatterElements");
    CHECK_THAT(refused(11, node("Scatter", {"x", "x", "x"}, {"y"})), Catch::Contains("does not exist any more"));
}

TEST_CASE("Scan of opset 8 is refused by name") {
    CHECK_THAT(refused(8, node("Scan", {"x"}, {"y"}, {}, "", "walk")),
               Catch::Contains("node 'walk' (Scan): Scan of opset 8"));
}

TEST_CASE("LabelEncoder of opset 1 gets keys and values by its input's type") {
    const auto encode = [](DType type) {
        Pb classes = Pb().text(1, "classes_strings").text(9, "cat").text(9, "dog").number(20, 8);
        Pb file = model(graph_pb({node("LabelEncoder", {"l"}, {"y"}, {classes}, "ai.onnx.ml")},
                                 {value_info("l", type, {2})}, {name_only("y")}));
        return Lifted{imported(file.message(8, opset(1, "ai.onnx.ml")))};
    };
    const PrivateVector<PrivateString> texts = {"cat", "dog"};
    CHECK(attr<PrivateVector<PrivateString>>(encode(DType::kString).node(), "keys_strings") == texts);
    CHECK(attr<PrivateVector<int64_t>>(encode(DType::kString).node(), "values_int64s") ==
          PrivateVector<int64_t>{0, 1});
    CHECK(attr<PrivateVector<int64_t>>(encode(DType::kInt64).node(), "keys_int64s") == PrivateVector<int64_t>{0, 1});
    CHECK(attr<PrivateVector<PrivateString>>(encode(DType::kInt64).node(), "values_strings") == texts);
}
