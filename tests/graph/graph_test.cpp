#include "coffer/graph/graph.hpp"

#include "catch.hpp"

using namespace coffer;
using namespace coffer::graph;

namespace {

const std::vector<float> kThree = {1.5f, -2, 3};

// y = Add(x, w); z = If(c) { then: Neg(x) | else: Abs(x) }
Model sample() {
    Model m;
    m.name = "com.acme.sample";
    m.version = 3;
    m.graphs.resize(3);
    Graph& g = m.graphs[0];
    g.name = "main";
    Type batch;
    batch.dtype = DType::kFloat;
    batch.dims = {{-1, "batch"}, {3, ""}};
    const ValueId x = g.add_value("x", batch);
    const ValueId c = g.add_value("c", Type::tensor(DType::kBool, {}));
    g.inputs = {x, c};
    const ValueId w = m.add_constant(g, "w", Tensor::of<float>(kThree));
    const ValueId y = g.add_value("y");
    const ValueId z = g.add_value("z");
    g.nodes.push_back({"Add", "sum", {x, w}, {y}, {}});
    g.nodes.push_back({"If", "choose", {c, x}, {z}, {}});
    g.nodes[1].set("then_branch", GraphRef{1});
    g.nodes[1].set("else_branch", GraphRef{2});
    g.nodes[1].set("captures", int64_t{1});
    g.outputs = {y, z};
    for (uint32_t i : {1u, 2u}) {
        Graph& branch = m.graphs[i];
        branch.name = i == 1 ? "then" : "else";
        branch.inputs = {branch.add_value("x")};
        branch.outputs = {branch.add_value("r")};
        branch.nodes.push_back({i == 1 ? "Neg" : "Abs", "", {0}, {1}, {}});
    }
    return m;
}

std::string failure(const Model& m) {
    const Status s = verify(m);
    return s.ok() ? "" : s.error().message();
}

}  // namespace

TEST_CASE("attributes are found, replaced and erased by name") {
    Node n;
    n.set("axis", int64_t{1});
    n.set("axis", int64_t{2});
    n.set("mode", std::string("linear"));
    REQUIRE(n.attrs.size() == 2);
    REQUIRE(std::get<int64_t>(n.find("axis")->value) == 2);
    n.erase("axis");
    REQUIRE(n.find("axis") == nullptr);
    REQUIRE(n.find("mode") != nullptr);
}

TEST_CASE("a type has a shape when every dimension is a number") {
    Type t = Type::tensor(DType::kFloat, {2, 0, 3});
    REQUIRE(t.shape() == Shape{2, 0, 3});
    (*t.dims)[1] = {-1, "n"};
    REQUIRE_FALSE(t.shape());
    t.dims.reset();
    REQUIRE_FALSE(t.shape());
    t.dims = std::vector<Dim>(9, Dim{1, ""});
    REQUIRE_FALSE(t.shape());
}

TEST_CASE("constants are shared by the graphs of a model") {
    Model m = sample();
    REQUIRE(m.constant(m.graphs[0], 2)->span<float>()[1] == -2);
    REQUIRE(m.constant(m.graphs[0], 0) == nullptr);
    REQUIRE(m.constant(m.graphs[0], kAbsent) == nullptr);
}

TEST_CASE("a sound model verifies") {
    REQUIRE(failure(sample()) == "");
}

TEST_CASE("verify names the broken rule") {
    Model m = sample();
    Graph& g = m.graphs[0];
    std::string expected;
    SECTION("no graph") {
        m.graphs.clear();
        expected = "the model has no graph";
    }
    SECTION("input id out of range") {
        g.inputs.push_back(99);
        expected = "graph input: value 99 of 5";
    }
    SECTION("constant as input") {
        g.inputs.push_back(2);
        expected = "value 'w' is written twice";
    }
    SECTION("node reads out of range") {
        g.nodes[0].inputs[1] = 77;
        expected = "node 0 (Add 'sum'): reads value 77 of 5";
    }
    SECTION("node reads what is written later, as in a cycle") {
        g.nodes[0].inputs[1] = 4;
        expected = "reads 'z' before it is written";
    }
    SECTION("two writers") {
        g.nodes[1].outputs[0] = 3;
        expected = "value 'y' is written twice";
    }
    SECTION("output never written") {
        g.outputs.push_back(g.add_value("ghost"));
        expected = "output 'ghost' is never written";
    }
    SECTION("output out of range") {
        g.outputs.push_back(kAbsent);
        expected = "output refers to value 4294967295";
    }
    SECTION("same name twice") {
        g.values[4].name = "y";
        expected = "two values are named 'y'";
    }
    SECTION("empty name") {
        g.values[4].name = "";
        expected = "value 4 has no name";
    }
    SECTION("constant index") {
        g.values[4].constant = 5;
        expected = "value 'z' refers to constant 5 of 1";
    }
    SECTION("negative constant index") {
        g.values[4].constant = -7;
        expected = "value 'z' refers to constant -7 of 1";
    }
    SECTION("constant of another type") {
        g.values[2].type.dtype = DType::kInt8;
        expected = "type says int8, its tensor is float32";
    }
    SECTION("constant of another shape") {
        g.values[2].type = Type::tensor(DType::kFloat, {4});
        expected = "type says (4), its tensor is (3)";
    }
    SECTION("constant without tensor") {
        m.constants[0].tensor = {};
        expected = "constant 0 ('w') has no tensor";
    }
    SECTION("bad dimension") {
        g.values[3].type.dims = {{-2, ""}};
        expected = "value 'y': dimension -2";
    }
    SECTION("unknown element type") {
        g.values[3].type.dtype = static_cast<DType>(kDTypeCount);
        expected = "value 'y': unknown element type";
    }
    SECTION("huge rank") {
        g.values[3].type.dims = std::vector<Dim>(9);
        expected = "value 'y': rank 9 is over 8";
    }
    SECTION("op missing") {
        g.nodes[0].op = "";
        expected = "has no op";
    }
    SECTION("attribute twice") {
        g.nodes[0].attrs = {{"a", int64_t{1}}, {"a", int64_t{1}}};
        expected = "attribute 'a' is given twice";
    }
    SECTION("subgraph out of range") {
        g.nodes[1].set("then_branch", GraphRef{9});
        expected = "refers to graph 9 of 3";
    }
    SECTION("subgraph that holds itself") {
        m.graphs[1].nodes[0].set("body", GraphRef{1});
        expected = "refers to graph 1 from graph 1";
    }
    SECTION("captures more than there are") {
        g.nodes[1].set("captures", int64_t{2});
        expected = "'captures' does not fit";
    }
    SECTION("captures negative") {
        g.nodes[1].set("captures", int64_t{-1});
        expected = "'captures' does not fit";
    }
    SECTION("state of an unknown input") {
        m.states.push_back({"h", "y", std::nullopt});
        expected = "no input 'h'";
    }
    SECTION("state of an unknown output") {
        m.states.push_back({"x", "h", std::nullopt});
        expected = "no output 'h'";
    }
    SECTION("state of another type") {
        m.states.push_back({"x", "y", Tensor::scalar<int32_t>(1)});
        expected = "initial value is int32, the input is float32";
    }
    SECTION("attached files of one name") {
        m.blobs = {{"labels.txt", {}}, {"labels.txt", {}}};
        expected = "two attached files are named 'labels.txt'";
    }
    REQUIRE_THAT(failure(m), Catch::Contains(expected));
    REQUIRE(expected != "");
}

TEST_CASE("subgraphs nest kMaxDepth deep and no deeper") {
    const auto nested = [](int depth) {
        Model m;
        m.graphs.resize(static_cast<size_t>(depth) + 1);
        for (uint32_t i = 0; i < static_cast<uint32_t>(depth); ++i) {
            m.graphs[i].nodes.push_back({"If", "", {}, {}, {{"then_branch", GraphRef{i + 1}}}});
        }
        return m;
    };
    REQUIRE(failure(nested(kMaxDepth)) == "");
    REQUIRE_THAT(failure(nested(kMaxDepth + 1)), Catch::Contains("nested deeper than 8"));
}

TEST_CASE("values that nothing reads or writes may stay behind") {
    Model m = sample();
    m.graphs[0].add_value("left over");
    REQUIRE(failure(m) == "");
}

TEST_CASE("dump shows every part") {
    Model m = sample();
    m.producer = "test \"x\"";
    m.metadata.push_back({"k", "line\nbreak"});
    m.states.push_back({"x", "y", std::nullopt});
    m.blobs.push_back({"labels.txt", PrivateVector<std::byte>(4)});
    REQUIRE(dump(m) ==
            R"(model com.acme.sample version 3 by "test \"x\""
meta k = "line\x0abreak"
state y -> x
attached labels.txt (4 bytes)
graph 0 main
  input x: float32(batch, 3)
  input c: bool()
  const w: float32(3) = [1.5, -2, 3]
  y = Add(x, w)  # sum
  z = If(c, x) {then_branch=graph 1, else_branch=graph 2, captures=1}  # choose
  output y: ?
  output z: ?
graph 1 then
  input x: ?
  r = Neg(x)
  output r: ?
graph 2 else
  input x: ?
  r = Abs(x)
  output r: ?
)");
}

TEST_CASE("dump survives a model that does not verify") {
    Model m = sample();
    m.graphs[0].outputs.push_back(1000);
    m.graphs[0].nodes[0].inputs[0] = kAbsent;
    m.graphs[0].values[2].constant = 9;
    REQUIRE_THAT(dump(m), Catch::Contains("<value 1000>") && Catch::Contains("Add(-, w)") &&
                              Catch::Contains("const w: <missing>"));
}
