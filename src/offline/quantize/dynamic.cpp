#include "offline/quantize/dynamic.hpp"

#include <algorithm>
#include <map>

#include "offline/quantize/layers.hpp"
#include "offline/quantize/weights.hpp"

namespace coffer::offline {

namespace {

struct Weights {
    ValueId values, scales;
};

// The name by value: a new constant moves those of the graph.
Result<Weights> add_weights(Editor& e, const TensorView& floats, int channel_axis, std::string name) {
    COFFER_TRY_ASSIGN(QuantizedWeights w, quantize_weights(floats, channel_axis));
    return Weights{e.add_constant(name + ".int8", std::move(w.values)),
                   e.add_constant(name + ".scale", std::move(w.scales))};
}

// What rounding to `w` leaves of the weights.
Result<Tensor> rest_of(const Editor& e, const Tensor& floats, int channel_axis, const Weights& w) {
    const Shape& shape = floats.shape();
    const int64_t channels = shape[channel_axis], inner = shape.elements(channel_axis + 1, shape.rank());
    COFFER_TRY_ASSIGN(Tensor rest, Tensor::create(DType::kFloat, shape));
    const auto scales = e.constant(w.scales)->span<const float>();
    const auto bytes = e.constant(w.values)->span<const int8_t>();
    const auto from = floats.span<const float>();
    const auto to = rest.span<float>();
    for (size_t i = 0; i < to.size(); ++i) {
        const auto channel = static_cast<size_t>(static_cast<int64_t>(i) / inner % channels);
        to[i] = from[i] - scales[channel] * static_cast<float>(bytes[i]);
    }
    return rest;
}

// The product of the first parts, of the rest of x with the first part of the weights, and of the first part of x
// with the rest of the weights, added. Both rests together are too small to matter.
Status add_two_parts(Editor& e, graph::Node node, const Product& p, const Weights& w, const TwoParts& parts,
                     std::vector<graph::Node>& nodes) {
    graph::Graph& g = e.graph();
    const ValueId result = node.outputs[0];
    const std::string name = g.values[result].name;
    graph::Type type = g.values[p.x].type;
    const ValueId real = g.add_value(name + ".first.real", type), rest = g.add_value(name + ".rest", type);
    type.dtype = DType::kUint8;
    const ValueId bytes = g.add_value(name + ".first", type);
    const ValueId scale = e.add_constant(name + ".first.scale", Tensor::scalar(parts.x.scale));
    const ValueId zero = e.add_constant(name + ".first.zero", Tensor::scalar(parts.x.zero));
    nodes.push_back({"QuantizeLinear", name + ".first", {p.x, scale, zero}, {bytes}, {}});
    nodes.push_back({"DequantizeLinear", name + ".first.real", {bytes, scale, zero}, {real}, {}});
    nodes.push_back({"Sub", name + ".rest", {p.x, real}, {rest}, {}});

    const auto value = [&](const char* what) { return g.add_value(name + what, g.values[result].type); };
    const auto product = [&](const char* what, bool first, const Weights& weights, ValueId bias) {
        IntegerInputs in;
        in.x = first ? bytes : rest;
        if (first) in.x_scale = scale;
        if (first) in.x_zero = zero;
        in.w = weights.values;
        in.w_scale = weights.scales;
        in.bias = bias;
        graph::Node n = node;
        n.name += what;
        n.outputs = {value(what)};
        become_integer(n, p, in);
        nodes.push_back(std::move(n));
        return nodes.back().outputs[0];
    };
    ValueId sum = product(".coarse", true, w, p.bias);
    if (parts.weights) {
        COFFER_TRY_ASSIGN(const Tensor left, rest_of(e, *e.constant(p.w), p.channel_axis(), w));
        COFFER_TRY_ASSIGN(const Weights more, add_weights(e, left.view(), p.channel_axis(), name + ".rest"));
        const ValueId extra = product(".weights", true, more, graph::kAbsent), both = value(".both");
        nodes.push_back({"Add", name + ".both", {sum, extra}, {both}, {}});
        sum = both;
    }
    const ValueId fine = product(".fine", false, w, graph::kAbsent);
    nodes.push_back({"Add", name + ".parts", {sum, fine}, {result}, {}});
    return {};
}

}  // namespace

Result<size_t> make_dynamic(graph::Model& model, const NodePredicate& wanted, const InTwoParts& in_two_parts) {
    Editor e(model, 0);
    std::map<std::pair<ValueId, int>, Weights> done;  // layers may share their weights
    std::vector<graph::Node> nodes;
    size_t made = 0;
    for (graph::Node& node : e.nodes()) {
        const auto p = quantizable(e, node);
        if (!p || !wanted(node)) {
            nodes.push_back(std::move(node));
            continue;
        }
        const auto [at, fresh] = done.try_emplace({p->w, p->channel_axis()});
        if (fresh) {
            auto w = add_weights(e, e.constant(p->w)->view(), p->channel_axis(), e.graph().values[p->w].name);
            if (!w) return w.error().within(message({"layer '", node.name, "': "}));
            at->second = *w;
        }
        if (const auto parts = in_two_parts ? in_two_parts(node) : std::nullopt) {
            COFFER_TRY(add_two_parts(e, std::move(node), *p, at->second, *parts, nodes));
        } else {
            IntegerInputs in;
            in.x = p->x;
            in.w = at->second.values;
            in.w_scale = at->second.scales;
            in.bias = p->bias;
            become_integer(node, *p, in);
            nodes.push_back(std::move(node));
        }
        ++made;
    }
    e.nodes() = std::move(nodes);
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
