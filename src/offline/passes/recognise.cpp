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
        if (h && h->inputs[0] == x && near(float_attr(*h, "alpha", 0.2f), 1.0 / 6) &&
            near(float_attr(*h, "beta", 0.5f), 0.5)) {
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

// A product of constants and values, through nested Mul, Pow by a whole number, and Div by a constant.
struct Product {
    double constant = 1;
    std::vector<ValueId> factors;
};
void flatten(const Editor& e, ValueId id, int depth, Product& p) {
    if (const auto c = e.scalar(id)) {
        p.constant *= *c;
        return;
    }
    const graph::Node* node = depth > 0 ? e.producer(id) : nullptr;
    if (node && node->op == "Mul") {
        for (ValueId in : node->inputs) flatten(e, in, depth - 1, p);
        return;
    }
    const auto right = node && node->inputs.size() == 2 ? e.scalar(node->inputs[1]) : std::nullopt;
    if (right && node->op == "Div" && *right != 0) {
        p.constant /= *right;
        flatten(e, node->inputs[0], depth - 1, p);
        return;
    }
    if (right && node->op == "Pow" && (*right == 2 || *right == 3)) {
        for (int i = 0; i < static_cast<int>(*right); ++i) flatten(e, node->inputs[0], depth - 1, p);
        return;
    }
    p.factors.push_back(id);
}
Product product(const Editor& e, ValueId id, int depth) {
    Product p;
    flatten(e, id, depth, p);
    return p;
}

// Is `id` sqrt(2 / pi) * (x + 0.044715 x^3)?
bool is_tanh_argument(const Editor& e, ValueId id, ValueId x) {
    const Product outer = product(e, id, 1);
    if (outer.factors.size() != 1 || !near(outer.constant, 0.7978845608)) return false;
    const graph::Node* sum = e.producer(outer.factors[0], "Add");
    if (!sum) return false;
    for (size_t side = 0; side < 2; ++side) {
        const Product cubic = product(e, sum->inputs[1 - side], 3);
        if (sum->inputs[side] == x && near(cubic.constant, 0.044715) && cubic.factors == std::vector<ValueId>(3, x))
            return true;
    }
    return false;
}

// x * 0.5 * (1 + Erf(x / sqrt(2))), or with the tanh approximation; the factors in any order.
bool gelu(Editor& e, graph::Node& node) {
    if (node.op != "Mul") return false;
    const Product whole = product(e, node.outputs[0], 3);
    if (whole.factors.size() != 2 || !near(whole.constant, 0.5)) return false;
    for (size_t side = 0; side < 2; ++side) {
        const ValueId x = whole.factors[side];
        const ValueId inner = strip(e, whole.factors[1 - side], "Add", 1);
        if (const graph::Node* erf = e.producer(inner, "Erf")) {
            const Product argument = product(e, erf->inputs[0], 1);
            if (near(argument.constant, std::sqrt(0.5)) && argument.factors == std::vector<ValueId>{x}) {
                become(node, "Gelu", {x});
                return true;
            }
        }
        const graph::Node* tanh = e.producer(inner, "Tanh");
        if (tanh && is_tanh_argument(e, tanh->inputs[0], x)) {
            become(node, "Gelu", {x}, {{"approximate", std::string("tanh")}});
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
            const bool pow =
                square->op == "Pow" && near(e.scalar(input(*square, 1)), 2) && is_deviation(square->inputs[0]);
            const bool product =
                square->op == "Mul" && square->inputs[0] == square->inputs[1] && is_deviation(square->inputs[0]);
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
    return rewrite_all(
        model, [](Editor& e, graph::Node& node) { return gated(e, node) || hard_swish(e, node) || gelu(e, node); });
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
