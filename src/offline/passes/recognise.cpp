// Activations and normalizations that exporters write as several nodes, put back into one.
#include <cmath>

#include "offline/passes/editor.hpp"
#include "offline/passes/list.hpp"
#include "offline/shapes.hpp"

namespace coffer::offline::passes {
namespace {

bool near(std::optional<double> value, double wanted) {
    return value && std::fabs(*value - wanted) <= 1e-5 * std::max(1.0, std::fabs(wanted));
}

// The constant operand of a binary node and the other one.
struct Operands {
    ValueId other = graph::kAbsent;
    std::optional<double> constant;
};
Operands split(const Editor& e, const graph::Node& node) {
    if (const auto c = e.scalar(input(node, 1))) return {node.inputs[0], c};
    if (const auto c = e.scalar(input(node, 0))) return {node.inputs[1], c};
    return {};
}

// `id` is op(x, constant) with that constant; gives x.
ValueId strip(const Editor& e, ValueId id, std::string_view op, double constant) {
    const graph::Node* node = e.producer(id, op);
    if (!node) return graph::kAbsent;
    const Operands o = split(e, *node);
    if (!near(o.constant, constant)) return graph::kAbsent;
    if ((op == "Div" || op == "Sub") && node->inputs[0] != o.other) return graph::kAbsent;
    return o.other;
}

void become(graph::Node& node, std::string op, std::vector<ValueId> inputs, std::vector<graph::Attr> attrs = {}) {
    node.op = std::move(op);
    node.inputs = std::move(inputs);
    node.attrs = std::move(attrs);
}

// Mul(x, Sigmoid(x)) and Mul(x, HardSigmoid(x)).
bool gated(Editor& e, graph::Node& node) {
    if (node.op != "Mul") return false;
    for (size_t side = 0; side < 2; ++side) {
        const ValueId x = node.inputs[side];
        const ValueId gate = node.inputs[1 - side];
        if (const graph::Node* s = e.producer(gate, "Sigmoid"); s && s->inputs[0] == x) {
            become(node, "Swish", {x});
            return true;
        }
        const graph::Node* h = e.producer(gate, "HardSigmoid");
        if (h && h->inputs[0] == x && near(float_attr(*h, "alpha", 0.2f), 1.0 / 6) && near(float_attr(*h, "beta", 0.5f), 0.5)) {
            become(node, "HardSwish", {x});
            return true;
        }
    }
    return false;
}

// Clip(x + 3, 0, 6); gives x.
ValueId relu6_of_plus3(const Editor& e, ValueId id) {
    const graph::Node* clip = e.producer(id, "Clip");
    if (!clip || !near(e.scalar(input(*clip, 1)), 0) || !near(e.scalar(input(*clip, 2)), 6)) return graph::kAbsent;
    return strip(e, clip->inputs[0], "Add", 3);
}

// x * Clip(x + 3, 0, 6) / 6 with the division (or a product with 1/6) in any place; Clip(x + 3, 0, 6) / 6 alone.
bool hard_swish(Editor& e, graph::Node& node) {
    const auto sixth = [&](ValueId id) {
        const ValueId by_div = strip(e, id, "Div", 6);
        return by_div != graph::kAbsent ? by_div : strip(e, id, "Mul", 1.0 / 6);
    };
    // (x * relu6(x + 3)) / 6
    const ValueId whole = sixth(node.outputs[0]);
    if (whole != graph::kAbsent) {
        if (const graph::Node* mul = e.producer(whole, "Mul")) {
            for (size_t side = 0; side < 2; ++side) {
                if (relu6_of_plus3(e, mul->inputs[1 - side]) == mul->inputs[side]) {
                    become(node, "HardSwish", {mul->inputs[side]});
                    return true;
                }
            }
        }
        if (const ValueId x = relu6_of_plus3(e, whole); x != graph::kAbsent) {
            become(node, "HardSigmoid", {x}, {{"alpha", 1.0f / 6}, {"beta", 0.5f}});
            return true;
        }
    }
    return false;
}

// x * 0.5 * (1 + Erf(x / sqrt(2))), the factors in any order.
bool gelu(Editor& e, graph::Node& node) {
    if (node.op != "Mul") return false;
    const auto erf_of = [&](ValueId id) -> ValueId {  // 1 + Erf(x / sqrt 2); gives x
        const ValueId inner = strip(e, id, "Add", 1);
        const graph::Node* erf = e.producer(inner, "Erf");
        if (!erf) return graph::kAbsent;
        const ValueId by_div = strip(e, erf->inputs[0], "Div", std::sqrt(2.0));
        return by_div != graph::kAbsent ? by_div : strip(e, erf->inputs[0], "Mul", std::sqrt(0.5));
    };
    // (x * (1 + erf)) * 0.5
    if (const Operands o = split(e, node); near(o.constant, 0.5)) {
        const graph::Node* mul = e.producer(o.other, "Mul");
        for (size_t side = 0; mul && side < 2; ++side) {
            if (const ValueId x = erf_of(mul->inputs[side]); x != graph::kAbsent && x == mul->inputs[1 - side]) {
                become(node, "Gelu", {x});
                return true;
            }
        }
    }
    for (size_t side = 0; side < 2; ++side) {
        const ValueId a = node.inputs[side], b = node.inputs[1 - side];
        // (x * 0.5) * (1 + erf)
        if (const ValueId x = erf_of(b); x != graph::kAbsent && strip(e, a, "Mul", 0.5) == x) {
            become(node, "Gelu", {x});
            return true;
        }
        // x * (0.5 * (1 + erf))
        if (const ValueId half = strip(e, b, "Mul", 0.5); half != graph::kAbsent && erf_of(half) == a) {
            become(node, "Gelu", {a});
            return true;
        }
    }
    return false;
}

bool mean_over_last(const Editor& e, const graph::Node& node, const SampledTypes& types) {
    if (int_attr(node, "keepdims", 1) != 1) return false;
    const Tensor* axes = e.constant(input(node, 1));
    if (!axes || axes->elements() != 1) return false;
    const int64_t axis = load_int(axes->view(), 0);
    return axis == -1 || (types.rank(node.inputs[0]) > 0 && axis == types.rank(node.inputs[0]) - 1);
}

// (x - mean) / sqrt(mean((x - mean)^2) + epsilon) * scale + bias over the last axis.
bool layer_norm(Editor& e, graph::Node& node, const SampledTypes& types) {
    if (node.op != "Add") return false;
    for (size_t side = 0; side < 2; ++side) {
        const Tensor* bias = e.constant(node.inputs[side]);
        const graph::Node* mul = e.producer(node.inputs[1 - side], "Mul");
        if (!bias || bias->shape().rank() != 1 || !mul) continue;
        for (size_t m = 0; m < 2; ++m) {
            const Tensor* scale = e.constant(mul->inputs[m]);
            const graph::Node* div = e.producer(mul->inputs[1 - m], "Div");
            if (!scale || !(scale->shape() == bias->shape()) || !div) continue;
            const graph::Node* sub = e.producer(div->inputs[0], "Sub");
            const graph::Node* root = e.producer(div->inputs[1], "Sqrt");
            if (!sub || !root) continue;
            const graph::Node* mean = e.producer(sub->inputs[1], "ReduceMean");
            const graph::Node* add = e.producer(root->inputs[0], "Add");
            if (!mean || mean->inputs[0] != sub->inputs[0] || !mean_over_last(e, *mean, types) || !add) continue;
            const Operands o = split(e, *add);
            const graph::Node* variance = e.producer(o.other, "ReduceMean");
            if (!o.constant || !variance || !mean_over_last(e, *variance, types)) continue;
            const graph::Node* square = e.producer(variance->inputs[0]);
            if (!square) continue;
            // The deviation may be computed twice.
            const auto is_deviation = [&](ValueId id) {
                const graph::Node* d = e.producer(id, "Sub");
                return id == sub->outputs[0] || (d && d->inputs == sub->inputs);
            };
            const bool pow = square->op == "Pow" && near(e.scalar(input(*square, 1)), 2) && is_deviation(square->inputs[0]);
            const bool product = square->op == "Mul" && square->inputs[0] == square->inputs[1] && is_deviation(square->inputs[0]);
            if (!pow && !product) continue;
            if (types.dim(sub->inputs[0], types.rank(sub->inputs[0]) - 1) != bias->elements()) continue;
            const ValueId x = sub->inputs[0], gain = mul->inputs[m], shift = node.inputs[side];
            become(node, "LayerNormalization", {x, gain, shift},
                   {{"axis", int64_t{-1}}, {"epsilon", static_cast<float>(*o.constant)}});
            return true;
        }
    }
    return false;
}

template <class Rewrite>
size_t rewrite_all(graph::Model& model, const Rewrite& rewrite) {
    size_t count = 0;
    for (size_t g = 0; g < model.graphs.size(); ++g) {
        Editor e(model, g);
        for (graph::Node& node : e.nodes()) {
            if (node.outputs.empty() || !rewrite(e, node)) continue;
            e.refresh();
            ++count;
        }
        e.sweep();
    }
    return count;
}

}  // namespace

Result<size_t> recognise_activations(graph::Model& model) {
    return rewrite_all(model, [](Editor& e, graph::Node& node) { return gated(e, node) || hard_swish(e, node) || gelu(e, node); });
}

Result<size_t> recognise_layer_norm(graph::Model& model) {
    const SampledTypes types(model);
    if (!types.valid()) return size_t{0};
    Editor e(model, 0);
    size_t count = 0;
    for (graph::Node& node : e.nodes()) {
        if (!layer_norm(e, node, types)) continue;
        e.refresh();
        ++count;
    }
    e.sweep();
    return count;
}

}  // namespace coffer::offline::passes
