#include "offline/quantize/layers.hpp"

#include <algorithm>

namespace coffer::offline {
namespace {

// The node that the activation of a fused op stands for.
graph::Node activation_node(Editor& e, const Product& p, std::string name, ValueId from, ValueId to) {
    const auto param = [&](size_t i, float fallback) { return i < p.params.size() ? p.params[i] : fallback; };
    graph::Node n;
    n.op = p.activation;
    n.name = std::move(name);
    n.inputs = {from};
    n.outputs = {to};
    if (p.activation == "Clip") {
        for (size_t i = 0; i < 2; ++i) {
            n.inputs.push_back(e.add_constant(n.name + (i == 0 ? ".low" : ".high"),
                                              Tensor::scalar(param(i, i == 0 ? -3.4028235e38f : 3.4028235e38f))));
        }
    } else if (p.activation == "LeakyRelu") {
        n.set("alpha", param(0, 0.01f));
    } else if (p.activation == "Elu" || p.activation == "Swish") {
        n.set("alpha", param(0, 1));
    } else if (p.activation == "HardSigmoid") {
        n.set("alpha", param(0, 0.2f));
        n.set("beta", param(1, 0.5f));
    } else if (p.activation == "GeluTanh") {
        n.op = "Gelu";
        n.set("approximate", std::string("tanh"));
    }
    return n;
}

}  // namespace

std::optional<Product> quantizable(const Editor& e, const graph::Node& node) {
    auto p = as_product(node);
    if (!p) return std::nullopt;
    const Tensor* w = e.constant(p->w);
    if (!w || w->dtype() != DType::kFloat || w->elements() == 0) return std::nullopt;
    const int rank = w->shape().rank();
    if (p->conv ? rank < 3 || rank > 5 : rank != 2) return std::nullopt;
    if (p->bias != graph::kAbsent) {
        const Tensor* bias = e.constant(p->bias);
        if (!bias || bias->dtype() != DType::kFloat || bias->shape().rank() == 0 ||
            bias->elements() != bias->shape().back() || bias->elements() != w->shape()[p->channel_axis()]) {
            return std::nullopt;
        }
    }
    return p;
}

void unfuse(graph::Model& model, bool clamps) {
    Editor e(model, 0);
    graph::Graph& g = e.graph();
    std::vector<graph::Node> nodes;
    for (graph::Node& node : g.nodes) {
        const auto p = quantizable(e, node);
        const bool residual = p && p->residual != graph::kAbsent;
        const bool activation = p && !p->activation.empty() && (residual || clamps || !is_clamp(p->activation));
        if (!residual && !activation) {
            nodes.push_back(std::move(node));
            continue;
        }
        const ValueId result = node.outputs[0];
        const std::string name = g.values[result].name;
        const auto part = [&](const char* what) { return g.add_value(name + what, g.values[result].type); };
        ValueId last = part(".product");
        node.outputs[0] = last;
        if (activation) {
            node.erase("activation");
            node.erase("activation_params");
        }
        if (residual) node.inputs.resize(3);
        if (residual && node.inputs[2] == graph::kAbsent) node.inputs.resize(2);
        nodes.push_back(std::move(node));
        if (residual) {
            const ValueId sum = activation ? part(".sum") : result;
            nodes.push_back({"Add", name + ".sum", {last, p->residual}, {sum}, {}});
            last = sum;
        }
        if (activation) nodes.push_back(activation_node(e, *p, name + ".activation", last, result));
    }
    g.nodes = std::move(nodes);
}

}  // namespace coffer::offline
