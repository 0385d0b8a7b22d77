#include "offline/quantize/dynamic.hpp"

#include <algorithm>
#include <map>

#include "offline/quantize/layers.hpp"
#include "offline/quantize/weights.hpp"

namespace coffer::offline {

Result<size_t> make_dynamic(graph::Model& model, const std::function<bool(const graph::Node&)>& wanted) {
    Editor e(model, 0);
    struct Weights {
        ValueId values, scales;
    };
    std::map<std::pair<ValueId, int>, Weights> done;  // layers may share their weights
    size_t made = 0;
    for (graph::Node& node : e.nodes()) {
        const auto p = quantizable(e, node);
        if (!p || !wanted(node)) continue;
        const auto [at, fresh] = done.try_emplace({p->w, p->channel_axis()});
        if (fresh) {
            auto w = quantize_weights(e.constant(p->w)->view(), p->channel_axis());
            if (!w) return w.error().within(message({"layer '", node.name, "': "}));
            const std::string name = e.graph().values[p->w].name;
            at->second = {e.add_constant(name + ".int8", w->values), e.add_constant(name + ".scale", w->scales)};
        }
        IntegerInputs in;
        in.x = p->x;
        in.w = at->second.values;
        in.w_scale = at->second.scales;
        in.bias = p->bias;
        become_integer(node, *p, in);
        ++made;
    }
    return made;
}

Status quantize_dynamic(graph::Model& model, std::vector<std::string>& notes) {
    unfuse(model, false);
    const auto products = std::ranges::count_if(model.graphs[0].nodes,
                                                [](const graph::Node& node) { return as_product(node).has_value(); });
    COFFER_TRY_ASSIGN(const size_t made, make_dynamic(model, [](const graph::Node&) { return true; }));
    notes.push_back(message({"dynamic int8: ", made, " of ", products, " layers"}));
    return {};
}

}  // namespace coffer::offline
