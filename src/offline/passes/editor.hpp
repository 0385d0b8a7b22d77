// A view of one graph for rewriting: who writes a value, how often it is read. A rewrite changes the last
// node of a pattern in place and leaves the others without readers; sweep() removes those.
#pragma once

#include <optional>

#include "coffer/graph/graph.hpp"

namespace coffer::offline {

using graph::ValueId;

class Editor {
 public:
    Editor(graph::Model& model, size_t graph) : model_(model), graph_(model.graphs[graph]) { refresh(); }

    graph::Model& model() { return model_; }
    graph::Graph& graph() { return graph_; }
    std::vector<graph::Node>& nodes() { return graph_.nodes; }

    // The node that writes `id`, if it is of that op ("" for any); nullptr otherwise.
    graph::Node* producer(ValueId id, std::string_view op = "") const;
    // How many node inputs and graph outputs read `id`.
    size_t uses(ValueId id) const { return uses_[id]; }
    // The one reader of an output 0 with a single use that is no graph output.
    graph::Node* only_reader(const graph::Node& node, std::string_view op = "") const;
    bool is_output(ValueId id) const;

    const Tensor* constant(ValueId id) const { return model_.constant(graph_, id); }
    // A constant with a single element, as a number.
    std::optional<double> scalar(ValueId id) const;
    ValueId add_constant(std::string_view name, Tensor tensor);

    // Everything that read `from` reads `to`. Graph outputs keep their value: false when `from` is one.
    bool replace(ValueId from, ValueId to);
    // Removes nodes whose outputs nothing reads, and brings the tables up to date.
    size_t sweep();
    void refresh();

 private:
    graph::Model& model_;
    graph::Graph& graph_;
    std::vector<int32_t> producer_;  // by value: node index or -1
    std::vector<uint32_t> uses_;
    std::vector<int32_t> reader_;  // by value: a node that reads it, -1 when none
};

// Attribute with a default.
int64_t int_attr(const graph::Node& node, std::string_view name, int64_t fallback);
float float_attr(const graph::Node& node, std::string_view name, float fallback);
std::string string_attr(const graph::Node& node, std::string_view name);
PrivateVector<int64_t> ints_attr(const graph::Node& node, std::string_view name);
// Input `i`, or kAbsent.
ValueId input(const graph::Node& node, size_t i);
void set_input(graph::Node& node, size_t i, ValueId id);

}  // namespace coffer::offline
