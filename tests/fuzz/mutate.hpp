// Changes of a decoded model that leave it encodable: other ops, attributes, wires, types, shapes and constants.
// Bytes of a FlatBuffer hardly ever hit on a graph that is well-formed and wrong; this does.
#pragma once

#include <random>

#include "coffer/graph/graph.hpp"
#include "coffer/ops/op.hpp"

namespace coffer::fuzz {

class ModelMutator {
 public:
    explicit ModelMutator(uint32_t seed) : random_(seed) {}
    void mutate(graph::Model& model);
    // A node of this op with made-up inputs and attributes; its outputs become outputs of the graph.
    void add_node(graph::Model& model, graph::Graph& graph, const ops::Op& op);

 private:
    size_t below(size_t n) { return n == 0 ? 0 : random_() % n; }
    bool chance(unsigned one_in) { return below(one_in) == 0; }
    int64_t number();
    float real();
    Tensor tensor();
    DType dtype();
    graph::AttrValue attr_value(int kind, const graph::Model& model);
    void change_attr(graph::Model& model, graph::Node& node);
    void change_op(graph::Node& node);
    void rewire(graph::Graph& graph, size_t node);
    const ops::Op& any_op();
    void change_value(graph::Graph& graph);

    std::mt19937 random_;
};

}  // namespace coffer::fuzz
