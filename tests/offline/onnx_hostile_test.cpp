// Files that no exporter would write: one clear error each, and never a crash.
#include <filesystem>
#include <fstream>
#include <random>

#include "import_case.hpp"

using namespace coffer;
using namespace coffer::testing;

namespace {

const Pb kX = value_info("x", DType::kFloat, {2});
const Pb kY = name_only("y");
const Pb kC = value_info("c", DType::kBool, {});

Pb of_nodes(std::initializer_list<Pb> nodes) {
    return model(graph_pb(nodes, {kX, kC}, {kY}));
}

Pb function(std::string_view name, std::initializer_list<Pb> nodes) {
    Pb f =
        Pb().text(1, name).text(10, "my").text(4, "v").text(5, "r").message(9, opset(17)).message(9, opset(1, "my"));
    for (const Pb& n : nodes) f.message(7, n);
    return f;
}
Pb calls(std::initializer_list<Pb> functions) {
    Pb m = of_nodes({node("F", {"x"}, {"y"}, {}, "my", "call")});
    for (const Pb& f : functions) m.message(25, f);
    return m.message(8, opset(1, "my"));
}

// One of every part of the format, for truncation and flipping.
Pb rich() {
    const Pb branch = graph_pb({node("Add", {"a", "w"}, {"b"})}, {}, {name_only("b")});
    Pb g = graph_pb(
        {node("F", {"x"}, {"a"}, {}, "my"), node("Constant", {}, {"k"}, {attr_floats("value_floats", {1, 2})}),
         node("If", {"c"}, {"y"}, {attr_g("then_branch", branch), attr_g("else_branch", branch)}),
         node("Slice", {"a"}, {"z"}, {attr_ints("starts", {0}), attr_ints("ends", {1})})},
        {kX, kC}, {kY});
    g.message(5, tensor("w", DType::kFloat, {2}, raw_of<float>({1, 2})));
    g.message(13, value_info("a", DType::kFloat, {-1}));
    g.message(15, Pb().message(1, tensor("s", DType::kFloat, {1}, raw_of<float>({5})))
                      .message(2, tensor("", DType::kInt64, {1}, raw_of<int64_t>({1})))
                      .number(3, 2));
    Pb m = model(g, 9).message(25, function("F", {node("Relu", {"v"}, {"r"})})).text(2, "p");
    return m.message(8, opset(1, "my")).message(14, Pb().text(1, "k").text(2, "v"));
}

}  // namespace

TEST_CASE("structural faults are named") {
    struct Case {
        Pb file;
        const char* expected;
    };
    const Pb relu = node("Relu", {"x"}, {"y"}, {}, "", "n1");
    const Case cases[] = {
        {Pb(), "format: not an ONNX model"},
        {Pb().raw("\xff\xff\xff\xff"), "format: damaged ONNX file"},
        {Pb().raw("\x3a\xff\xff\xff\xff\x0f"), "damaged ONNX file: ModelProto, field 7"},
        {Pb().number(7, 1), "ModelProto, field 7: wire type 0, expected 2"},
        {of_nodes({relu}).message(7, graph_pb({}, {}, {})), "the model has two graphs"},
        {Pb().number(1, 2).message(7, graph_pb({relu}, {kX}, {kY})).message(8, opset(17)),
         "unsupported: ONNX IR version 2"},
        {Pb().message(7, graph_pb({relu}, {kX}, {kY})).message(8, opset(17)), "ONNX IR version 0"},
        {model(graph_pb({relu}, {kX}, {kY}), 6), "unsupported: opset 6 of ai.onnx is too old"},
        {model(graph_pb({relu}, {kX}, {kY}), -1), "opset -1 of ai.onnx is too old"},
        {of_nodes({relu}).message(8, opset(12)), "'' is imported with opsets 17 and 12"},
        {Pb().number(1, 8).message(7, graph_pb({relu}, {kX}, {kY})),
         "node 'n1' (Relu): domain 'ai.onnx' is not imported"},
        {of_nodes({node("F", {"x"}, {"y"}, {}, "far.away", "n2")}),
         "node 'n2' (far.away::F): domain 'far.away' is not imported"},
        {of_nodes({node("", {"x"}, {"y"}, {}, "", "n3")}), "node 'n3' (): has no op"},
        {of_nodes({node("Relu", {"ghost"}, {"y"})}), "node of 'y' (Relu): reads 'ghost', which nothing writes"},
        {of_nodes({node("Relu", {"a"}, {"y"}, {}, "", "late"), node("Relu", {"x"}, {"a"}, {}, "", "early")}),
         "node 'late' (Relu): reads 'a' before node 'early' (Relu) writes it"},
        {of_nodes({node("Relu", {"y"}, {"y"}, {}, "", "self")}), "form a cycle"},
        {of_nodes({relu, node("Abs", {"x"}, {"y"}, {}, "", "n4")}), "node 'n4' (Abs): 'y' is written twice"},
        {of_nodes({node("Abs", {"x"}, {"x"})}), "'x' is written twice"},
        {of_nodes({node("Split", {"x"}, {"y", "y"})}), "'y' is written twice"},
        {of_nodes({node("Constant", {}, {"x"}, {attr_i("value_int", 1)})}), "'x' is written twice"},
        {of_nodes({node("Constant", {}, {"y"})}), "has no value"},
        {of_nodes({node("Constant", {}, {"y"}, {attr_i("value_int", 1), attr_f("value_float", 1)})}),
         "has two values"},
        {of_nodes({node("Constant", {}, {"y", "z"}, {attr_i("value_int", 1)})}), "gives exactly one output"},
        {of_nodes({node("Constant", {}, {"y"}, {attr_g("value", graph_pb({}, {}, {}))})}),
         "is not a tensor, a number or text"},
        {of_nodes({}), "output 'y' of graph 'g' is never written"},
        {model(graph_pb({relu}, {kX}, {})), "graph 'g' has no outputs"},
        {model(graph_pb({relu}, {kX}, {kY, kY})), "two outputs of graph 'g' are named 'y'"},
        {model(graph_pb({relu}, {kX, kX}, {kY})), "two inputs of graph 'g' are named 'x'"},
        {model(graph_pb({relu}, {value_info("", DType::kFloat, {})}, {kY})), "an input of graph 'g' has no name"},
        {model(graph_pb({relu}, {value_info("x", static_cast<DType>(99), {})}, {kY})),
         "unsupported: value 'x': element type 99"},
        {model(graph_pb({relu}, {value_info("x", DType::kFloat, {1, 1, 1, 1, 1, 1, 1, 1, 1})}, {kY})),
         "unsupported: value 'x': rank is over 8"},
        {model(graph_pb({relu}, {Pb().text(1, "x").message(2, Pb().message(5, Pb()))}, {kY})),
         "value 'x': map types"},
        {of_nodes({node("Relu", {"x"}, {"y"}, {Pb().number(3, 1)})}), "an attribute has no name"},
        {of_nodes({node("Relu", {"x"}, {"y"}, {attr_i("a", 1), attr_i("a", 2)})}), "attribute 'a' is given twice"},
        {of_nodes({node("Relu", {"x"}, {"y"}, {Pb().text(1, "a")}, "", "n5")}),
         "node 'n5' (Relu): attribute 'a': has no value"},
        {of_nodes({node("Relu", {"x"}, {"y"}, {Pb().text(1, "a").number(20, 10)})}), "attribute type 10"},
        {of_nodes({node("Relu", {std::string_view("a\0b", 3)}, {"y"})}), "has a NUL"},
        {of_nodes({node("Relu", {"\xff"}, {"y"})}), "not UTF-8"},
        {calls({function("F", {node("Relu", {"v"}, {"r"})}), function("F", {node("Relu", {"v"}, {"r"})})}),
         "two functions are named 'my::F'"},
        {calls({function("F", {node("F", {"v"}, {"r"}, {}, "my", "again")})}),
         "node 'again' (my::F): function 'F' calls itself"},
        {calls({function("F", {node("G", {"v"}, {"r"}, {}, "my")}),
                function("G", {node("F", {"v"}, {"r"}, {}, "my")})}),
         "calls itself"},
        {calls({function("F", {})}), "reads 'r', which nothing writes"},
        {calls({function("F", {node("Relu", {"x"}, {"r"})})}), "reads 'x', which nothing writes"},
    };
    for (const Case& c : cases) CHECK_THAT(failure(c.file), Catch::Contains(c.expected));
    Pb twice = graph_pb({relu}, {kX}, {kY});
    for (int i = 0; i < 2; ++i) twice.message(5, tensor("w", DType::kFloat, {1}, raw_of<float>({1})));
    CHECK_THAT(failure(model(twice)), Catch::Contains("two initializers are named 'w'"));
    CHECK_THAT(
        failure(model(graph_pb({relu}, {kX}, {kY}).message(5, tensor("", DType::kFloat, {1}, raw_of<float>({1}))))),
        Catch::Contains("an initializer has no name"));
}

TEST_CASE("unknown ops and wrong nodes are named with their domain") {
    CHECK(failure(of_nodes({node("Relu", {"x"}, {"y"})}), true) == "");
    CHECK(failure(of_nodes({node("Frobnicate", {"x"}, {"y"}, {}, "", "n")}), true) ==
          "unsupported: node 'n' (Frobnicate): unknown op 'Frobnicate' of domain 'ai.onnx', opset 17");
    Pb other = of_nodes({node("Frob", {"x"}, {"y"}, {}, "com.acme")});
    CHECK(failure(other.message(8, opset(3, "com.acme")), true) ==
          "unsupported: node of 'y' (com.acme::Frob): unknown op 'Frob' of domain 'com.acme', opset 3");
    CHECK_THAT(failure(of_nodes({node("Relu", {"x", "x"}, {"y"}, {}, "", "n")}), true),
               Catch::StartsWith("format: node 'n' (Relu)") && Catch::Contains("the node has 2"));
}

TEST_CASE("subgraphs nest eight deep and no deeper") {
    const auto nested = [](int depth) {
        Pb inner = graph_pb({node("Relu", {"x"}, {"b"})}, {}, {name_only("b")});
        for (int i = 1; i < depth; ++i)
            inner = graph_pb({node("If", {"c"}, {"b"}, {attr_g("then_branch", inner)})}, {}, {name_only("b")});
        return of_nodes({node("If", {"c"}, {"y"}, {attr_g("then_branch", inner)})});
    };
    CHECK(failure(nested(8)) == "");
    CHECK_THAT(failure(nested(9)), Catch::Contains("nested deeper than 8"));
    CHECK_THAT(failure(nested(200)), Catch::Contains("nested deeper than 8"));
}

TEST_CASE("functions cannot nest subgraphs deeper than that either") {
    const auto level = [](const std::string& name, const std::string& next) {
        const Pb branch = graph_pb({next.empty() ? node("Relu", {"v"}, {"b"}) : node(next, {"v"}, {"b"}, {}, "my")},
                                   {}, {name_only("b")});
        return function(name, {node("If", {"v"}, {"r"}, {attr_g("then_branch", branch)})});
    };
    Pb m = of_nodes({node("L0", {"x"}, {"y"}, {}, "my")}).message(8, opset(1, "my"));
    for (int i = 0; i < 20; ++i)
        m.message(25, level("L" + std::to_string(i), i < 19 ? "L" + std::to_string(i + 1) : ""));
    CHECK_THAT(failure(m), Catch::Contains("nested deeper than 8"));
}

TEST_CASE("functions that call each other twice run into the limit, not into the memory") {
    Pb m = of_nodes({node("L0", {"x"}, {"y"}, {}, "my")}).message(8, opset(1, "my"));
    for (int i = 0; i < 40; ++i) {
        const std::string next = "L" + std::to_string(i + 1);
        m.message(25, function("L" + std::to_string(i),
                               {node(next, {"v"}, {"m"}, {}, "my"), node(next, {"m"}, {"r"}, {}, "my")}));
    }
    m.message(25, function("L40", {node("Relu", {"v"}, {"r"})}));
    CHECK_THAT(failure(m), Catch::Contains("over 1048576 nodes"));
    Pb chain = of_nodes({node("L0", {"x"}, {"y"}, {}, "my")}).message(8, opset(1, "my"));
    for (int i = 0; i < 100; ++i)
        chain.message(25,
                      function("L" + std::to_string(i), {node("L" + std::to_string(i + 1), {"v"}, {"r"}, {}, "my")}));
    chain.message(25, function("L100", {node("Relu", {"v"}, {"r"})}));
    CHECK_THAT(failure(chain), Catch::Contains("deeper than 64"));
}

TEST_CASE("types nest no deeper than they can mean something") {
    Pb type = Pb().message(1, Pb().number(1, 1));
    for (int i = 0; i < 1000; ++i) type = Pb().message(4, Pb().message(1, type));
    CHECK_THAT(failure(model(graph_pb({node("Relu", {"x"}, {"y"})}, {Pb().text(1, "x").message(2, type)}, {kY}))),
               Catch::Contains("nested deeper than 2"));
}

TEST_CASE("files that are not models") {
    namespace fs = std::filesystem;
    const fs::path folder = fs::temp_directory_path() / "coffer_onnx_hostile_test";
    fs::remove_all(folder);
    fs::create_directories(folder);
    const auto code = [&](const std::string& name) {
        return offline::import_onnx((folder / name).string()).error().code();
    };
    std::ofstream(folder / "empty.onnx");
    std::ofstream(folder / "text.onnx") << "hello, this is not a model";
    CHECK(code("empty.onnx") == Code::kFormat);
    CHECK(code("text.onnx") == Code::kFormat);
    CHECK(code("absent.onnx") == Code::kNotFound);
    CHECK(code(".") == Code::kIo);
    std::ofstream(folder / "huge.onnx").close();
    fs::resize_file(folder / "huge.onnx", uintmax_t{5} << 30);
    CHECK_THAT(offline::import_onnx((folder / "huge.onnx").string()).error().message(),
               Catch::Contains("5368709120 bytes"));
    fs::remove_all(folder);
}

TEST_CASE("no truncation crashes, and none passes that loses the graph") {
    const std::string good = rich().str();
    CHECK(failure(rich()) == "");
    for (size_t n = 0; n < good.size(); ++n) {
        const std::string text = failure(Pb().raw(good.substr(0, n)));
        if (n < good.size() / 2) CHECK(text != "");
    }
}

TEST_CASE("no flipped bit crashes") {
    const std::string good = rich().str();
    for (size_t i = 0; i < good.size() * 8; ++i) {
        std::string flipped = good;
        flipped[i / 8] = static_cast<char>(flipped[i / 8] ^ (1 << (i % 8)));
        const auto result = import_pb(Pb().raw(flipped));
        if (!result.ok()) CHECK(result.error().code() != Code::kInternal);
    }
}

TEST_CASE("random bytes and random splices do not crash") {
    std::mt19937 random(7);
    const std::string good = rich().str();
    for (int round = 0; round < 3000; ++round) {
        std::string bytes = good;
        const size_t edits = 1 + random() % 8;
        for (size_t e = 0; e < edits; ++e) {
            const size_t at = random() % bytes.size();
            if (random() % 2) {
                bytes[at] = static_cast<char>(random());
            } else {
                bytes.insert(at, good.substr(random() % good.size(), random() % 16));
            }
        }
        (void)import_pb(Pb().raw(bytes));
        std::string noise(random() % 64, '\0');
        for (char& c : noise) c = static_cast<char>(random());
        (void)import_pb(Pb().raw(noise));
    }
}
