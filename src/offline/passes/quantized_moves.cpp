// DequantizeLinear moves down past everything that only moves or selects elements: the work is then done on
// bytes, and the DequantizeLinear meets the node that wants integers. The result is the same to the last bit.
#include <algorithm>
#include <map>

#include "offline/passes/list.hpp"
#include "offline/passes/quantized.hpp"

namespace coffer::offline::passes {

Result<size_t> sink_dequantize(graph::Model& model) {
    size_t moved = 0;
    for (size_t index = 0; index < model.graphs.size(); ++index) {
        Editor e(model, index);
        graph::Graph& g = e.graph();
        std::map<ValueId, Dequantized> known;  // by dequantized value
        for (const graph::Node& node : g.nodes) {
            if (node.op != "DequantizeLinear") continue;
            if (const auto d = dequantized(e, node.outputs[0]); d && d->q.scale_value > 0)
                known.emplace(node.outputs[0], *d);
        }
        const auto meaning = [&](ValueId id) -> const Dequantized* {
            const auto at = known.find(id);
            return at == known.end() ? nullptr : &at->second;
        };
        // All data inputs of the node have one and the same meaning.
        const auto common = [&](const graph::Node& node) -> const Dequantized* {
            if (moves_elements(e, node)) return meaning(node.inputs[0]);
            if (node.op != "Concat") return nullptr;
            const Dequantized* first = meaning(node.inputs[0]);
            const bool all = first && std::ranges::all_of(node.inputs, [&](ValueId id) {
                                 const Dequantized* d = meaning(id);
                                 return d && d->q.same(first->q);
                             });
            return all ? first : nullptr;
        };
        std::vector<graph::Node> nodes;
        for (graph::Node& node : g.nodes) {
            const Dequantized* shared = common(node);
            if (!shared) {
                nodes.push_back(std::move(node));
                continue;
            }
            const Quantization q = shared->q;
            const size_t data = node.op == "Concat" ? node.inputs.size() : 1;
            for (size_t i = 0; i < data; ++i) node.inputs[i] = known.at(node.inputs[i]).x;
            if (node.op == "Pad") set_input(node, 2, q.zero);
            std::vector<graph::Node> after;
            for (ValueId& out : node.outputs) {
                if (out == graph::kAbsent) continue;
                graph::Type type = g.values[out].type;
                type.dtype = q.dtype;
                const ValueId bytes = g.add_value(g.values[out].name + ".bytes", type);
                after.push_back(
                    {"DequantizeLinear", g.values[out].name + ".dequantize", {bytes, q.scale, q.zero}, {out}, {}});
                known[out] = {bytes, q};
                out = bytes;
            }
            nodes.push_back(std::move(node));
            std::ranges::move(after, std::back_inserter(nodes));
            ++moved;
        }
        g.nodes = std::move(nodes);
        e.refresh();
        e.sweep();
    }
    return moved;
}

}  // namespace coffer::offline::passes
