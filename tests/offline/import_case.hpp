// Imports from memory and what tests ask of the result.
#pragma once

#include "catch.hpp"
#include "offline/onnx/import.hpp"
#include "protobuf.hpp"

namespace coffer::testing {

// Ops are checked in ops_test.cpp; everywhere else only the form of the graph matters.
inline Result<graph::Model> import_pb(const Pb& model, bool check_ops = false) {
    offline::ImportOptions options;
    options.check_ops = check_ops;
    return offline::import_onnx(model.bytes(), "", options);
}

inline graph::Model imported(const Pb& model) {
    auto result = import_pb(model);
    if (!result.ok()) FAIL(result.error().message());
    return std::move(result).value();
}

// "code: message", or "" when the import worked.
inline std::string failure(const Pb& model, bool check_ops = false) {
    const auto result = import_pb(model, check_ops);
    return result.ok() ? "" : std::string(code_name(result.error().code())) + ": " + result.error().message();
}

inline const Tensor& constant(const graph::Model& m, const graph::Graph& g, graph::ValueId id) {
    const Tensor* t = m.constant(g, id);
    REQUIRE(t != nullptr);
    return *t;
}

template <class T>
std::vector<T> elements(const Tensor& t) {
    REQUIRE(t.dtype() == dtype_of<T>);
    const auto span = t.span<T>();
    return {span.begin(), span.end()};
}

// Ops of a graph in order: "Shape Flatten Softmax Reshape".
inline std::string ops_of(const graph::Graph& g) {
    std::string out;
    for (const graph::Node& n : g.nodes) out += (out.empty() ? "" : " ") + n.op;
    return out;
}

template <class T>
T attr(const graph::Node& n, std::string_view name) {
    const graph::Attr* a = n.find(name);
    REQUIRE(a != nullptr);
    const T* v = std::get_if<T>(&a->value);
    REQUIRE(v != nullptr);
    return *v;
}

// A model of one node, opset `version`: float inputs x (2, 3, 4) and whatever `more` names.
inline Pb one_node(int64_t version, const Pb& n, Names outputs = {"y"}, std::initializer_list<Pb> initializers = {}) {
    Pb g = graph_pb({n}, {value_info("x", DType::kFloat, {2, 3, 4})}, {});
    for (std::string_view o : outputs) g.message(12, name_only(o));
    for (const Pb& t : initializers) g.message(5, t);
    return model(g, version);
}

}  // namespace coffer::testing
