// DequantizeLinear of activations and weights -> product [-> + bias] [-> Relu, Clip] [-> QuantizeLinear] becomes
// one integer node. Weights keep their bits.
#include <cmath>

#include "offline/passes/list.hpp"
#include "offline/passes/quantized.hpp"

namespace coffer::offline::passes {
namespace {

struct IntegerWeights {
    ValueId values, scale, zero;
    PrivateVector<float> scales;  // one for each output channel
};

// DequantizeLinear of 8-bit constants, per tensor or per output channel.
std::optional<IntegerWeights> integer_weights(const Editor& e, const Product& p) {
    const graph::Node* node = e.producer(p.w, "DequantizeLinear");
    if (!node || int_attr(*node, "block_size", 0) != 0) return std::nullopt;
    IntegerWeights w{node->inputs[0], node->inputs[1], input(*node, 2), {}};
    const Tensor *values = e.constant(w.values), *scale = e.constant(w.scale);
    if (!values || !scale || scale->dtype() != DType::kFloat) return std::nullopt;
    if (values->dtype() != DType::kInt8 && values->dtype() != DType::kUint8) return std::nullopt;
    if (w.zero != graph::kAbsent && !e.constant(w.zero)) return std::nullopt;
    const int rank = values->shape().rank();
    if (p.conv ? rank < 3 || rank > 5 : rank != 2) return std::nullopt;
    const int64_t channels = values->shape()[p.channel_axis()];
    if (scale->elements() != 1) {
        int64_t axis = int_attr(*node, "axis", 1);
        if (axis < 0) axis += rank;
        if (axis != p.channel_axis() || scale->elements() != channels) return std::nullopt;
    }
    for (int64_t c = 0; c < channels; ++c) {
        w.scales.push_back(static_cast<float>(load_double(scale->view(), scale->elements() == 1 ? 0 : c)));
    }
    return w;
}

// A constant that adds one number to each output channel, with the shape it has in the graph.
std::optional<PrivateVector<float>> channel_bias(const Editor& e, ValueId id, const Product& p, size_t channels) {
    auto bias = constant_floats(e, id);
    if (!bias) return std::nullopt;
    const graph::Node* node = e.producer(id, "DequantizeLinear");
    const Shape& shape = e.constant(node ? node->inputs[0] : id)->shape();
    if (bias->size() == 1) return PrivateVector<float>(channels, bias->front());
    if (bias->size() != channels) return std::nullopt;
    if (!p.conv && (shape.rank() == 0 || shape.back() != shape.elements())) return std::nullopt;  // a column
    return bias;
}

// The bias as whole steps of x_scale * w_scale; the file's own int32 numbers when that is what they count.
// kAbsent when a step is too small for them.
ValueId integer_bias(Editor& e, ValueId id, const PrivateVector<float>& bias, float x_scale,
                     const IntegerWeights& w) {
    const graph::Node* node = e.producer(id, "DequantizeLinear");
    const Tensor* ints = node ? e.constant(node->inputs[0]) : nullptr;
    const Tensor* scale = node ? e.constant(node->inputs[1]) : nullptr;
    if (ints && scale && ints->dtype() == DType::kInt32 && ints->elements() == static_cast<int64_t>(bias.size())) {
        bool same = input(*node, 2) == graph::kAbsent || e.scalar(node->inputs[2]) == 0;
        for (size_t i = 0; i < bias.size() && same; ++i) {
            const double step = static_cast<double>(x_scale) * w.scales[i];
            const double given = load_double(scale->view(), scale->elements() == 1 ? 0 : static_cast<int64_t>(i));
            same = std::fabs(given - step) <= 1e-6 * step;
        }
        if (same) return node->inputs[0];
    }
    std::vector<int32_t> steps;
    for (size_t i = 0; i < bias.size(); ++i) {
        const double n = std::nearbyint(bias[i] / (static_cast<double>(x_scale) * w.scales[i]));
        if (!(std::fabs(n) < 2147483647.0)) return graph::kAbsent;
        steps.push_back(static_cast<int32_t>(n));
    }
    return e.add_constant(e.graph().values[id].name + ".int32", Tensor::of<int32_t>(steps));
}

// Relu or Clip with constant bounds, as the activation of a product.
bool take_clamp(const Editor& e, const graph::Node& node, Product* p) {
    if (!is_clamp(node.op)) return false;
    PrivateVector<float> bounds = {-3.4028235e38f, 3.4028235e38f};
    for (size_t i = 0; i < 2 && node.op == "Clip"; ++i) {
        if (input(node, i + 1) == graph::kAbsent) continue;
        const auto bound = e.scalar(node.inputs[i + 1]);
        if (!bound) return false;
        bounds[i] = static_cast<float>(*bound);
    }
    p->activation = node.op;
    p->params = node.op == "Clip" ? bounds : PrivateVector<float>{};
    return true;
}

bool make_integer(Editor& e, graph::Node& node) {
    auto p = as_product(node);
    if (!p || p->residual != graph::kAbsent || !(p->activation.empty() || is_clamp(p->activation))) return false;
    const auto w = integer_weights(e, *p);
    if (!w) return false;
    const auto x = dequantized(e, p->x);
    if (!x || e.constant(x->x)) return false;

    std::vector<graph::Node*> absorbed;
    graph::Node* last = &node;
    const auto absorb = [&](graph::Node* next) {
        absorbed.push_back(next);
        last = next;
    };
    std::optional<PrivateVector<float>> bias;
    if (p->bias != graph::kAbsent) {
        bias = channel_bias(e, p->bias, *p, w->scales.size());
        if (!bias) return false;
    } else if (graph::Node* add = e.only_reader(*last, "Add"); add && !p->conv && p->activation.empty()) {
        const ValueId other = add->inputs[add->inputs[0] == last->outputs[0] ? 1 : 0];
        bias = channel_bias(e, other, *p, w->scales.size());
        if (bias) {
            p->bias = other;
            absorb(add);
        }
    }
    if (graph::Node* next = e.only_reader(*last); next && p->activation.empty() && take_clamp(e, *next, &*p))
        absorb(next);

    IntegerInputs in{x->x, x->q.scale, x->q.zero, w->values, w->scale, w->zero, {}, {}, {}, {}};
    in.y_scale = in.y_zero = in.bias = in.table = graph::kAbsent;
    const ValueId int_bias = bias ? integer_bias(e, p->bias, *bias, x->q.scale_value, *w) : graph::kAbsent;
    graph::Node* q = e.only_reader(*last, "QuantizeLinear");
    const auto y = q && (!bias || int_bias != graph::kAbsent) ? quantization_of(e, *q) : std::nullopt;
    if (y) {
        in.y_scale = y->scale;
        in.y_zero = y->zero;
        absorb(q);
    }
    if (bias) {
        in.bias = int_bias;
        if (int_bias == graph::kAbsent) {
            in.bias = e.add_constant(e.graph().values[p->bias].name + ".float", Tensor::of<float>(*bias));
        }
    }
    const ValueId result = last->outputs[0];
    for (graph::Node* gone : absorbed) gone->outputs[0] = graph::kAbsent;
    node.outputs[0] = result;
    become_integer(node, *p, in);
    e.refresh();
    return true;
}

}  // namespace

Result<size_t> integer_products(graph::Model& model) {
    size_t made = 0;
    for (size_t g = 0; g < model.graphs.size(); ++g) {
        Editor e(model, g);
        for (graph::Node& node : e.nodes()) {
            if (!node.outputs.empty() && node.outputs[0] != graph::kAbsent) made += make_integer(e, node);
        }
        e.sweep();
    }
    return made;
}

}  // namespace coffer::offline::passes
