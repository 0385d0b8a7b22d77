// The model between file formats and kernels: typed values, nodes in topological order, constants.
// It knows neither ONNX files, nor containers, nor kernels. Passes change it; verify() must hold after each.
#pragma once

#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "coffer/base/tensor.hpp"

namespace coffer::graph {

using ValueId = uint32_t;
inline constexpr ValueId kAbsent = 0xffffffffu;  // an optional input or output left out
inline constexpr int kMaxDepth = 8;              // nesting of subgraphs

// A dimension: a number >= 0, or a named symbol ("batch"), or unknown (value -1, no symbol).
struct Dim {
    int64_t value = -1;
    std::string symbol;
    bool known() const { return value >= 0; }
    friend bool operator==(const Dim&, const Dim&) = default;
};

struct Type {
    ValueKind kind = ValueKind::kTensor;
    DType dtype = DType::kUndefined;       // element type; kUndefined: not known yet
    std::optional<std::vector<Dim>> dims;  // nullopt: rank not known

    // The Shape when every dim is a number.
    std::optional<Shape> shape() const;
    static Type tensor(DType dtype, const Shape& shape);
};

// Constants are shared by all graphs of a model (tied weights are one entry).
struct Constant {
    std::string name;
    Tensor tensor;
};

struct ValueInfo {
    std::string name;  // unique in its graph; may be made up by a pass
    Type type;
    int32_t constant = -1;  // index into Model::constants, or -1
};

struct GraphRef {
    uint32_t index = 0;  // into Model::graphs; greater than the index of the graph that holds the node
};

using AttrValue = std::variant<int64_t, float, std::string, PrivateVector<int64_t>, PrivateVector<float>,
                               PrivateVector<PrivateString>, Tensor, GraphRef>;
struct Attr {
    std::string name;
    AttrValue value;
};

// op: "Conv" (ai.onnx), "com.microsoft::FusedConv", "ai.onnx.ml::Scaler", "ai.coffer::QConv".
// Ops have one meaning: the newest opset this library knows. Importers lift older ones.
struct Node {
    std::string op;
    std::string name;
    std::vector<ValueId> inputs;   // kAbsent where left out
    std::vector<ValueId> outputs;  // kAbsent where not wanted
    std::vector<Attr> attrs;

    const Attr* find(std::string_view attr) const;
    void set(std::string_view attr, AttrValue value);  // replaces or adds
    void erase(std::string_view attr);
};

// Every value is written once: by being a graph input, a constant, or one node's output. Nodes are in
// topological order. A subgraph captures nothing: values from outside are explicit inputs, appended to the
// node's inputs and to the subgraph's inputs in the same order; the node's int attribute "captures" is
// their number (If: captures = all inputs but the condition).
struct Graph {
    std::string name;
    std::vector<ValueInfo> values;
    std::vector<Node> nodes;
    std::vector<ValueId> inputs;
    std::vector<ValueId> outputs;

    ValueId add_value(std::string name, Type type = {});
};

struct StatePair {
    std::string input, output;      // names in graphs[0]; the runner holds the value between runs
    std::optional<Tensor> initial;  // zeros of the input's type when absent
};

struct Blob {
    std::string name;  // "labels.txt"
    PrivateVector<std::byte> bytes;
};

struct Model {
    std::string producer;
    std::string name;  // "com.acme.detector", may be empty for an unprotected file
    uint64_t version = 0;
    std::vector<Constant> constants;
    std::vector<Graph> graphs;  // graphs[0] is the main graph
    std::vector<StatePair> states;
    std::vector<Blob> blobs;
    std::vector<std::pair<std::string, std::string>> metadata;

    // Adds a constant and a value of `graph` that refers to it.
    ValueId add_constant(Graph& graph, std::string name, Tensor tensor);
    const Tensor* constant(const Graph& graph, ValueId id) const;  // nullptr when `id` is not a constant
};

// Structural rules above, ids in range, each value written once and before use, names unique, no cycles,
// subgraph depth, outputs defined. Does not know ops: see ops::check.
Status verify(const Model& model);

// Readable text of all graphs, for people and golden tests.
std::string dump(const Model& model);

}  // namespace coffer::graph
