// ONNX messages as plain data, after reading and before they become a graph. Tensors are complete here:
// typed fields, raw bytes, sparse forms and external data have all become Tensor.
#pragma once

#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "coffer/graph/graph.hpp"

namespace coffer::offline::proto {

struct Graph;

struct NamedTensor {
    std::string name;
    Tensor tensor;
};

struct Attribute {
    std::string name;
    std::string reference;  // ref_attr_name: inside a function, the attribute of the call to take
    std::variant<std::monostate, int64_t, float, std::string, PrivateVector<int64_t>, PrivateVector<float>,
                 PrivateVector<PrivateString>, Tensor, std::shared_ptr<const Graph>, graph::Type>
        value;
};

struct Node {
    std::string op, domain, overload, name;
    std::vector<std::string> inputs, outputs;  // "" where left out
    std::vector<Attribute> attributes;
};

struct ValueInfo {
    std::string name;
    graph::Type type;
};

struct Graph {
    std::string name;
    std::vector<Node> nodes;
    std::vector<NamedTensor> initializers;
    std::vector<ValueInfo> inputs, outputs, values;
};

struct OpsetImport {
    std::string domain;  // "" for ai.onnx
    int64_t version = 0;
};

struct Function {
    std::string name, domain, overload;
    std::vector<std::string> inputs, outputs;
    std::vector<Attribute> defaults;  // attributes with a default value
    std::vector<Node> nodes;
    std::vector<OpsetImport> opsets;
};

struct Model {
    int64_t ir_version = 0;
    std::string producer;
    std::vector<OpsetImport> opsets;
    std::vector<std::pair<std::string, std::string>> metadata;
    Graph graph;
    std::vector<Function> functions;
};

}  // namespace coffer::offline::proto
