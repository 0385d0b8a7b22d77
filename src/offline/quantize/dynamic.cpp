#include "offline/quantize/dynamic.hpp"

#include <map>

#include "offline/quantize/layers.hpp"
#include "offline/quantize/weights.hpp"

namespace coffer::offline {

Status quantize_dynamic(graph::Model& model, std::vector<std::string>& notes) {
    unfuse(model, false);
    Editor e(model, 0);
    struct Weights {
        ValueId values, scales;
    };
    std::map<std::pair<ValueId, int>, Weights> done;  // layers may share their weights
    size_t products = 0, quantized = 0;
    for (graph::Node& node : e.nodes()) {
        products += as_product(node).has_value();
        const auto p = quantizable(e, node);
        if (!p) continue;
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
        ++quantized;
    }
    notes.push_back(message({"dynamic int8: ", quantized, " of ", products, " products"}));
    return {};
}

}  // namespace coffer::offline
