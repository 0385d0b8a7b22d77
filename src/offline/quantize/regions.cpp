#include "offline/quantize/regions.hpp"

#include <algorithm>

#include "offline/quantize/layers.hpp"

namespace coffer::offline {
namespace {

// Inputs of a node that would be 8-bit tensors; empty when the node has no integer form.
std::vector<ValueId> integer_inputs(const Editor& e, const graph::Node& node,
                                    const std::function<bool(ValueId, ValueId)>& same_shape) {
    if (moves_elements(e, node)) return {node.inputs[0]};
    if (node.op == "Concat") return node.inputs;
    if ((node.op == "Add" || node.op == "Mul") && !e.constant(node.inputs[0]) && !e.constant(node.inputs[1])) {
        return same_shape(node.inputs[0], node.inputs[1]) ? node.inputs : std::vector<ValueId>{};
    }
    const bool mean =
        node.op == "GlobalAveragePool" || (node.op == "AveragePool" && ints_attr(node, "dilations").empty());
    if (mean) return is_fast("com.microsoft::QLinear" + node.op) ? node.inputs : std::vector<ValueId>{};
    if (const auto data = elementwise_input(e, node)) return {node.inputs[*data]};
    return {};
}

class Groups {
 public:
    explicit Groups(size_t values) : parent_(values) {
        for (size_t i = 0; i < values; ++i) parent_[i] = static_cast<ValueId>(i);
    }
    ValueId find(ValueId id) {
        while (parent_[id] != id) id = parent_[id] = parent_[parent_[id]];
        return id;
    }
    // `into` leads.
    void join(ValueId from, ValueId into) { parent_[find(from)] = find(into); }

 private:
    std::vector<ValueId> parent_;
};

}  // namespace

Regions find_regions(Editor& e, const std::set<ValueId>& floats,
                     const std::function<bool(ValueId, ValueId)>& same_shape) {
    const graph::Graph& g = e.graph();
    const size_t nodes = g.nodes.size(), values = g.values.size();
    // Downwards: what integers can reach from products. Upwards: what some product wants as integers.
    std::vector<bool> reached(values, false), wanted(values, false), product(nodes, false);
    std::vector<std::vector<ValueId>> inputs(nodes);
    Regions r;
    for (size_t n = 0; n < nodes; ++n) {
        const graph::Node& node = g.nodes[n];
        if (quantizable(e, node) && !floats.contains(node.outputs[0])) {
            product[n] = true;
            reached[node.outputs[0]] = true;
            r.layers.push_back(node.outputs[0]);
            continue;
        }
        inputs[n] = integer_inputs(e, node, same_shape);
        const bool all =
            !inputs[n].empty() && std::ranges::all_of(inputs[n], [&](ValueId id) { return reached[id]; });
        if (!all) continue;
        for (ValueId id : node.outputs) {
            if (id != graph::kAbsent) reached[id] = true;
        }
    }
    r.integer.assign(nodes, false);
    for (size_t n = nodes; n-- > 0;) {
        const graph::Node& node = g.nodes[n];
        if (product[n]) {
            r.integer[n] = true;
            wanted[node.inputs[0]] = true;
            continue;
        }
        r.integer[n] = std::ranges::any_of(
            node.outputs, [&](ValueId id) { return id != graph::kAbsent && reached[id] && wanted[id]; });
        if (!r.integer[n]) continue;
        for (ValueId id : inputs[n]) wanted[id] = true;
        if (moves_elements(e, node)) {
            for (ValueId id : node.outputs) {
                if (id != graph::kAbsent) wanted[id] = true;
            }
        }
    }

    Groups groups(values);
    for (size_t n = 0; n < nodes; ++n) {
        const graph::Node& node = g.nodes[n];
        if (!r.integer[n] || product[n]) continue;
        if (moves_elements(e, node)) {
            for (ValueId id : node.outputs) {
                if (id != graph::kAbsent) groups.join(id, node.inputs[0]);
            }
        } else if (node.op == "Concat") {
            // A part that nothing else reads may as well come in the steps of the whole.
            for (ValueId id : node.inputs) {
                if (e.uses(id) == 1) groups.join(id, node.outputs[0]);
            }
        } else if (is_clamp(node.op) && e.uses(node.inputs[0]) == 1) {
            wanted[node.inputs[0]] = false;  // rounding after the clamp does for both
        }
    }
    r.group.assign(values, -1);
    for (ValueId id = 0; id < values; ++id) {
        if (!wanted[id]) continue;
        const ValueId leader = groups.find(id);
        const auto at = std::ranges::find(r.leaders, leader);
        r.group[id] = static_cast<int32_t>(at - r.leaders.begin());
        if (at == r.leaders.end()) r.leaders.push_back(leader);
    }
    return r;
}

}  // namespace coffer::offline
