// One graph under construction: values with unique names, constants, captures from the graph around it, and
// what is known of types so far. It knows graph::Model, not ONNX.
#pragma once

#include <string>
#include <unordered_map>
#include <vector>

#include "coffer/graph/graph.hpp"

namespace coffer::offline {

// Hands out names: "x", then "x_2", "x_3"...
class UniqueNames {
 public:
    std::string operator()(std::string wanted);

 private:
    std::unordered_map<std::string, uint32_t> used_;
};

class GraphBuilder {
 public:
    // `parent` is the builder of the graph that holds this one's node, nullptr for the main graph.
    GraphBuilder(graph::Model& model, UniqueNames& constant_names, GraphBuilder* parent, uint32_t index);

    uint32_t index() const { return index_; }
    int depth() const { return depth_; }
    GraphBuilder* parent() const { return parent_; }

    graph::ValueId add_value(const std::string& name, graph::Type hint = {});
    graph::ValueId add_constant(const std::string& name, Tensor tensor);
    // The value `outer` of the parent, seen from here: constants are shared, the rest is captured once.
    graph::ValueId import_outer(graph::ValueId outer);
    void add_node(graph::Node node);
    // Gives `id` the name; a value that has it already gets the old one in exchange.
    void rename(graph::ValueId id, const std::string& name);

    const Tensor* constant(graph::ValueId id) const { return model_.constant(built, id); }
    // What the file says or ops imply; may be unknown, and the file may be wrong.
    const graph::Type& hint(graph::ValueId id) const { return hints_[id]; }

    struct Capture {
        graph::ValueId outer, local;
    };
    const std::vector<Capture>& captures() const { return captures_; }

    graph::Graph built;

 private:
    graph::Model& model_;
    UniqueNames& constant_names_;
    GraphBuilder* parent_;
    uint32_t index_;
    int depth_;
    UniqueNames names_;
    std::vector<graph::Type> hints_;
    std::vector<Capture> captures_;
};

}  // namespace coffer::offline
