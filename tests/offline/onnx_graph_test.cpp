// The shape of an imported graph: names, constants, captures of subgraphs, inlined functions.
#include "import_case.hpp"

using namespace coffer;
using namespace coffer::testing;
using graph::kAbsent;

namespace {

const Pb kX = value_info("x", DType::kFloat, {-1, 3});
const Pb kY = value_info("y", DType::kFloat, {-1, 3});

Pb function(std::string_view name, Names inputs, Names outputs, std::initializer_list<Pb> nodes,
            Names attributes = {}) {
    Pb f = Pb().text(1, name).text(10, "my");
    for (std::string_view i : inputs) f.text(4, i);
    for (std::string_view o : outputs) f.text(5, o);
    for (std::string_view a : attributes) f.text(6, a);
    for (const Pb& n : nodes) f.message(7, n);
    return f.message(9, opset(17)).message(9, opset(1, "my"));
}
Pb with_functions(const Pb& g, std::initializer_list<Pb> functions) {
    Pb m = model(g).message(8, opset(1, "my"));
    for (const Pb& f : functions) m.message(25, f);
    return m;
}

}  // namespace

TEST_CASE("inputs, outputs, types and symbols come through") {
    Pb file = model(graph_pb({node("Relu", {"x"}, {"y"}, {}, "", "act")}, {kX}, {kY}));
    file.text(2, "maker").message(14, Pb().text(1, "k").text(2, "v"));
    const graph::Model m = imported(file);
    CHECK(m.producer == "maker");
    CHECK(m.metadata == std::vector<std::pair<std::string, std::string>>{{"k", "v"}});
    const graph::Graph& g = m.graphs.at(0);
    REQUIRE(g.inputs.size() == 1);
    const graph::ValueInfo& x = g.values[g.inputs[0]];
    CHECK(x.name == "x");
    CHECK(x.type.dtype == DType::kFloat);
    CHECK(x.type.dims == std::vector<graph::Dim>{{-1, "n"}, {3, ""}});
    CHECK(g.values[g.outputs.at(0)].name == "y");
    CHECK(g.nodes.at(0).name == "act");
}

TEST_CASE("ai.onnx is the default domain and other domains qualify the op") {
    Pb file = model(graph_pb(
        {node("Relu", {"x"}, {"a"}, {}, "ai.onnx"), node("Gelu", {"a"}, {"y"}, {}, "com.microsoft")}, {kX}, {kY}));
    file.message(8, opset(1, "com.microsoft"));
    CHECK(ops_of(imported(file).graphs[0]) == "Relu com.microsoft::Gelu");
}

TEST_CASE("optional inputs and outputs are absent, not missing") {
    const Pb n = node("Clip", {"x", "", "x"}, {"y"});
    const graph::Model m = imported(model(graph_pb({n}, {kX}, {kY})));
    CHECK(m.graphs[0].nodes[0].inputs == std::vector<graph::ValueId>{0, kAbsent, 0});
}

TEST_CASE("an initializer that is also an input is a constant unless asked otherwise") {
    Pb g = graph_pb({node("Add", {"x", "w"}, {"y"})}, {kX, value_info("w", DType::kFloat, {3})}, {kY});
    g.message(5, tensor("w", DType::kFloat, {3}, raw_of<float>({1, 2, 3})));
    const Pb file = model(g);
    const graph::Model m = imported(file);
    CHECK(m.graphs[0].inputs.size() == 1);
    CHECK(elements<float>(constant(m, m.graphs[0], m.graphs[0].nodes[0].inputs[1])) == std::vector<float>{1, 2, 3});
    offline::ImportOptions keep;
    keep.keep_overridable_inputs = true;
    keep.check_ops = false;
    const graph::Model kept = offline::import_onnx(file.bytes(), "", keep).value();
    CHECK(kept.graphs[0].inputs.size() == 2);
    CHECK(kept.constants.empty());
}

TEST_CASE("every form of Constant becomes a constant") {
    const auto value = [](const Pb& attr) {
        const graph::Model m = imported(
            model(graph_pb({node("Constant", {}, {"c"}, {attr}), node("F", {"c", "x"}, {"y"})}, {kX}, {kY})));
        REQUIRE(m.graphs[0].nodes.size() == 1);
        REQUIRE(m.constants.size() == 1);
        CHECK(m.constants[0].name == "c");
        return m.constants[0].tensor;
    };
    CHECK(elements<int64_t>(value(attr_i("value_int", 7))) == std::vector<int64_t>{7});
    CHECK(value(attr_i("value_int", 7)).shape() == Shape{});
    CHECK(elements<float>(value(attr_f("value_float", 0.5f))) == std::vector<float>{0.5f});
    CHECK(elements<PrivateString>(value(attr_s("value_string", "hi"))) == std::vector<PrivateString>{"hi"});
    CHECK(elements<int64_t>(value(attr_ints("value_ints", {1, 2}))) == std::vector<int64_t>{1, 2});
    CHECK(value(attr_ints("value_ints", {1, 2})).shape() == Shape{2});
    CHECK(elements<float>(value(attr_floats("value_floats", {1, 2}))) == std::vector<float>{1, 2});
    CHECK(elements<int8_t>(value(attr_t("value", tensor("", DType::kInt8, {2}, raw_of<int8_t>({-1, 1}))))) ==
          std::vector<int8_t>{-1, 1});
    const Pb sparse = Pb().message(1, tensor("", DType::kFloat, {2}, raw_of<float>({5, 6})))
                          .message(2, tensor("", DType::kInt64, {2, 2}, raw_of<int64_t>({0, 1, 1, 0})))
                          .number(3, 2)
                          .number(3, 2);
    CHECK(elements<float>(value(Pb().text(1, "sparse_value").message(22, sparse).number(20, 11))) ==
          std::vector<float>{0, 5, 6, 0});
}

TEST_CASE("both branches of If take the same captures in the same order") {
    // then: Add(a, w)   else: Sub(b, a); w is a constant
    const Pb then_branch = graph_pb({node("Add", {"a", "w"}, {"t"})}, {}, {name_only("t")});
    const Pb else_branch = graph_pb({node("Sub", {"b", "a"}, {"e"})}, {}, {name_only("e")});
    Pb g =
        graph_pb({node("Relu", {"x"}, {"a"}), node("Neg", {"x"}, {"b"}),
                  node("If", {"c"}, {"y"}, {attr_g("then_branch", then_branch), attr_g("else_branch", else_branch)})},
                 {kX, value_info("c", DType::kBool, {})}, {kY});
    g.message(5, tensor("w", DType::kFloat, {3}, raw_of<float>({1, 2, 3})));
    const graph::Model m = imported(model(g));
    REQUIRE(m.graphs.size() == 3);
    REQUIRE(m.constants.size() == 1);
    const graph::Graph& main = m.graphs[0];
    const graph::Node& branch = main.nodes[2];
    CHECK(attr<int64_t>(branch, "captures") == 2);
    REQUIRE(branch.inputs.size() == 3);
    CHECK(main.values[branch.inputs[1]].name == "a");
    CHECK(main.values[branch.inputs[2]].name == "b");
    for (const char* name : {"then_branch", "else_branch"}) {
        const graph::Graph& sub = m.graphs[attr<graph::GraphRef>(branch, name).index];
        REQUIRE(sub.inputs.size() == 2);
        CHECK(sub.values[sub.inputs[0]].name == "a");
        CHECK(sub.values[sub.inputs[1]].name == "b");
    }
    const graph::Graph& first = m.graphs[1];
    CHECK(first.nodes[0].inputs[0] == first.inputs[0]);
    CHECK(constant(m, first, first.nodes[0].inputs[1]).elements() == 3);
    const graph::Graph& second = m.graphs[2];
    CHECK(second.nodes[0].inputs == std::vector<graph::ValueId>{second.inputs[1], second.inputs[0]});
}

TEST_CASE("a capture passes through the graphs between") {
    const Pb inner = graph_pb({node("Relu", {"x"}, {"i"})}, {}, {name_only("i")});
    const Pb middle =
        graph_pb({node("If", {"c"}, {"m"}, {attr_g("then_branch", inner), attr_g("else_branch", inner)})}, {},
                 {name_only("m")});
    const Pb g = graph_pb({node("If", {"c"}, {"y"}, {attr_g("then_branch", middle), attr_g("else_branch", middle)})},
                          {kX, value_info("c", DType::kBool, {})}, {kY});
    const graph::Model m = imported(model(g));
    REQUIRE(m.graphs.size() == 7);
    CHECK(m.graphs[1].inputs.size() == 2);
    CHECK(m.graphs[2].inputs.size() == 1);
    CHECK(attr<int64_t>(m.graphs[0].nodes[0], "captures") == 2);
    CHECK(attr<int64_t>(m.graphs[1].nodes[0], "captures") == 1);
    for (uint32_t i = 0; i < 7; ++i) {
        for (const graph::Node& n : m.graphs[i].nodes) {
            for (const graph::Attr& a : n.attrs) {
                if (const auto* ref = std::get_if<graph::GraphRef>(&a.value)) CHECK(ref->index > i);
            }
        }
    }
}

TEST_CASE("a loop body keeps its own inputs first") {
    const Pb body = graph_pb({node("Identity", {"cond"}, {"go"}), node("Add", {"carried", "x"}, {"next"})},
                             {value_info("i", DType::kInt64, {}), value_info("cond", DType::kBool, {}),
                              value_info("carried", DType::kFloat, {})},
                             {name_only("go"), name_only("next")});
    const graph::Model m =
        imported(model(graph_pb({node("Loop", {"", "", "x"}, {"y"}, {attr_g("body", body)})}, {kX}, {kY})));
    const graph::Graph& sub = m.graphs[1];
    REQUIRE(sub.inputs.size() == 4);
    CHECK(sub.values[sub.inputs[2]].name == "carried");
    CHECK(sub.values[sub.inputs[3]].name == "x");
    CHECK(m.graphs[0].nodes[0].inputs == std::vector<graph::ValueId>{kAbsent, kAbsent, 0, 0});
}

TEST_CASE("an outer value may be a subgraph's output") {
    const Pb branch = graph_pb({}, {}, {name_only("x")});
    const graph::Model m = imported(
        model(graph_pb({node("If", {"c"}, {"y"}, {attr_g("then_branch", branch), attr_g("else_branch", branch)})},
                       {kX, value_info("c", DType::kBool, {})}, {kY})));
    CHECK(m.graphs[1].inputs == m.graphs[1].outputs);
}

TEST_CASE("functions are inlined with their attributes, defaults and own names") {
    Pb scale =
        function("Scale", {"v"}, {"r"},
                 {node("Constant", {}, {"k"}, {attr_ref("value_float", "factor", 1)}), node("Mul", {"v", "k"}, {"t"}),
                  node("LeakyRelu", {"t"}, {"r"}, {attr_ref("alpha", "slope", 1), attr_ref("gone", "nothing", 1)})},
                 {"factor"});
    scale.message(11, attr_f("slope", 0.25f));
    const Pb twice = function("Twice", {"v"}, {"r"},
                              {node("Scale", {"v"}, {"h"}, {attr_f("factor", 2)}, "my"),
                               node("Scale", {"h"}, {"r"}, {attr_f("factor", 3)}, "my")});
    const graph::Model m = imported(
        with_functions(graph_pb({node("Twice", {"x"}, {"y"}, {}, "my", "call")}, {kX}, {kY}), {scale, twice}));
    const graph::Graph& g = m.graphs[0];
    CHECK(ops_of(g) == "Mul LeakyRelu Mul LeakyRelu");
    CHECK(attr<float>(g.nodes[1], "alpha") == 0.25f);
    CHECK(g.nodes[1].find("gone") == nullptr);
    CHECK(elements<float>(constant(m, g, g.nodes[0].inputs[1])) == std::vector<float>{2});
    CHECK(elements<float>(constant(m, g, g.nodes[2].inputs[1])) == std::vector<float>{3});
    CHECK(g.values[g.outputs[0]].name == "y");
    CHECK(g.values[g.nodes[1].outputs[0]].name == "call/h");
}

TEST_CASE("a subgraph in a function captures the function's values and its caller's arguments") {
    const Pb branch =
        graph_pb({node("LeakyRelu", {"v"}, {"b"}, {attr_ref("alpha", "slope", 1)})}, {}, {name_only("b")});
    const Pb f = function("Pick", {"v", "c"}, {"r"},
                          {node("If", {"c"}, {"r"}, {attr_g("then_branch", branch), attr_g("else_branch", branch)})},
                          {"slope"});
    const graph::Model m =
        imported(with_functions(graph_pb({node("Pick", {"x", "c"}, {"y"}, {attr_f("slope", 0.5f)}, "my")},
                                         {kX, value_info("c", DType::kBool, {})}, {kY}),
                                {f}));
    CHECK(attr<float>(m.graphs[1].nodes[0], "alpha") == 0.5f);
    CHECK(m.graphs[0].nodes[0].inputs.size() == 2);
}

TEST_CASE("a function that hands on its input keeps the name of the model's output") {
    const Pb same = function("Same", {"v"}, {"v"}, {});
    const graph::Model m =
        imported(with_functions(graph_pb({node("Same", {"x"}, {"y"}, {}, "my")}, {kX}, {kY}), {same}));
    CHECK(ops_of(m.graphs[0]) == "Identity");
    CHECK(m.graphs[0].values[m.graphs[0].outputs[0]].name == "y");
}

TEST_CASE("a model output keeps its name when a function took it first") {
    const Pb f = function("F", {"v"}, {"r"}, {node("Relu", {"v"}, {"t"}), node("Neg", {"t"}, {"r"})});
    const graph::Model m =
        imported(with_functions(graph_pb({node("F", {"x"}, {"a"}, {}, "my", "f"), node("Abs", {"a"}, {"f/t"})}, {kX},
                                         {value_info("f/t", DType::kFloat, {})}),
                                {f}));
    const graph::Graph& g = m.graphs[0];
    CHECK(g.values[g.outputs[0]].name == "f/t");
    CHECK(g.outputs[0] == g.nodes.back().outputs[0]);
}

TEST_CASE("equal names in two branches become distinct constants") {
    const auto branch = [](int64_t v) {
        return graph_pb({node("Constant", {}, {"k"}, {attr_i("value_int", v)}), node("Add", {"k", "k"}, {"r"})}, {},
                        {name_only("r")});
    };
    const graph::Model m = imported(model(
        graph_pb({node("If", {"c"}, {"y"}, {attr_g("then_branch", branch(1)), attr_g("else_branch", branch(2))})},
                 {value_info("c", DType::kBool, {})}, {kY})));
    REQUIRE(m.constants.size() == 2);
    CHECK(m.constants[0].name == "k");
    CHECK(m.constants[1].name == "k_2");
}

TEST_CASE("sequence and optional types") {
    const Pb element = Pb().message(1, Pb().number(1, 1));
    Pb g = graph_pb({node("SequenceLength", {"s"}, {"y"})}, {}, {kY});
    g.message(11, Pb().text(1, "s").message(2, Pb().message(4, Pb().message(1, element))));
    g.message(11, Pb().text(1, "o").message(
                      2, Pb().message(9, Pb().message(1, Pb().message(4, Pb().message(1, element))))));
    const graph::Model m = imported(model(g));
    CHECK(m.graphs[0].values[0].type.kind == ValueKind::kSequence);
    CHECK(m.graphs[0].values[0].type.dtype == DType::kFloat);
    CHECK(m.graphs[0].values[1].type.kind == ValueKind::kOptional);
}

TEST_CASE("versions newer than known are warnings") {
    const Pb file =
        Pb().number(1, 99).message(7, graph_pb({node("Relu", {"x"}, {"y"})}, {kX}, {kY})).message(8, opset(999));
    offline::ImportReport report;
    offline::ImportOptions options;
    options.check_ops = false;
    REQUIRE(offline::import_onnx(file.bytes(), "", options, &report).ok());
    CHECK(report.ir_version == 99);
    CHECK(report.opsets == std::vector<std::pair<std::string, int64_t>>{{"", 999}});
    REQUIRE(report.warnings.size() == 2);
    CHECK_THAT(report.warnings[0], Catch::Contains("IR version 99"));
    CHECK_THAT(report.warnings[1], Catch::Contains("opset 999 of ai.onnx"));
}

TEST_CASE("attributes without a type are known by their field") {
    const Pb n = node("F", {"x"}, {"y"}, {Pb().text(1, "a").number(3, 5), Pb().text(1, "b").text(4, "s")});
    const graph::Model m = imported(model(graph_pb({n}, {kX}, {kY})));
    CHECK(attr<int64_t>(m.graphs[0].nodes[0], "a") == 5);
    CHECK(attr<std::string>(m.graphs[0].nodes[0], "b") == "s");
}

TEST_CASE("the type attribute of Optional is the element type of an empty one") {
    const Pb type = Pb().message(4, Pb().message(1, Pb().message(1, Pb().number(1, 7))));
    const Pb n = node("Optional", {}, {"y"}, {Pb().text(1, "type").message(14, type).number(20, 13)});
    const graph::Model m = imported(model(graph_pb({n}, {kX}, {name_only("y")})));
    CHECK(attr<int64_t>(m.graphs[0].nodes[0], "dtype") == 7);
}
