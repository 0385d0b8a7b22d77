// What stands between DequantizeLinear and QuantizeLinear and is no product: sums, products of two tensors,
// joins and means become QLinear* nodes; any function of one element becomes a table of 256 bytes, inside the
// product before it where that is possible.
#include <cmath>

#include "coffer/ops/op.hpp"
#include "offline/passes/list.hpp"
#include "offline/passes/quantized.hpp"
#include "runtime/evaluate.hpp"

namespace coffer::offline::passes {
namespace {

int64_t quantize(double x, const Quantization& q) {
    const int64_t low = q.dtype == DType::kInt8 ? -128 : 0;
    const double n = std::nearbyint(static_cast<float>(x) / q.scale_value) + static_cast<double>(q.zero_value);
    if (std::isnan(n)) return q.zero_value;
    return static_cast<int64_t>(std::clamp(n, static_cast<double>(low), static_cast<double>(low + 255)));
}

// The chain of functions that ends in `id` and starts at a dequantized value.
struct Chain {
    Dequantized from;
    std::vector<const graph::Node*> nodes;  // in order
};
std::optional<Chain> chain_to(Editor& e, ValueId id) {
    Chain chain;
    for (;;) {
        if (const auto d = dequantized(e, id)) {
            chain.from = *d;
            std::ranges::reverse(chain.nodes);
            return chain;
        }
        const graph::Node* node = e.producer(id);
        const auto data = node && e.uses(id) == 1 ? elementwise_input(e, *node) : std::nullopt;
        if (!data) return std::nullopt;
        chain.nodes.push_back(node);
        id = node->inputs[*data];
    }
}

// The bytes that `chain` and then the quantization `to` make of each byte.
Result<std::optional<Tensor>> make_table(const Editor& e, const Chain& chain, const Quantization& to) {
    const Quantization& from = chain.from.q;
    COFFER_TRY_ASSIGN(Tensor reals, Tensor::create(DType::kFloat, Shape{256}));
    for (int i = 0; i < 256; ++i) {
        const int64_t n = from.dtype == DType::kInt8 ? static_cast<int8_t>(i) : i;
        reals.view().as<float>()[i] = static_cast<float>(n - from.zero_value) * from.scale_value;
    }
    runtime::Scratch scratch;
    for (const graph::Node* node : chain.nodes) {
        std::vector<Value> inputs;
        for (ValueId id : node->inputs) {
            const Tensor* t = id == graph::kAbsent ? nullptr : e.constant(id);
            inputs.push_back(id == graph::kAbsent ? Value() : Value(t ? *t : reals));
        }
        COFFER_TRY_ASSIGN(auto results,
                          runtime::evaluate_node(*ops::find(node->op), *node, inputs, nullptr, scratch));
        reals = results[0].tensor;
        if (reals.dtype() != DType::kFloat || reals.elements() != 256) return std::optional<Tensor>();
    }
    COFFER_TRY_ASSIGN(Tensor table, Tensor::create(to.dtype, Shape{256}));
    for (int i = 0; i < 256; ++i) store_int(table.view(), i, quantize(reals.view().as<const float>()[i], to));
    return std::optional<Tensor>(table);
}

bool is_identity(const Tensor& table, DType from) {
    if (table.dtype() != from) return false;
    for (int i = 0; i < 256; ++i) {
        if (static_cast<int>(table.view().as<const uint8_t>()[i]) != i) return false;
    }
    return true;
}

// The integer product before the chain takes the table: its result is read by nothing else.
bool into_product(Editor& e, graph::Node& q, const Chain& chain, ValueId table) {
    graph::Node* product = e.producer(chain.from.x);
    if (!product || (product->op != kQConv && product->op != kQMatMul)) return false;
    if (input(*product, 6) == graph::kAbsent || input(*product, 9) != graph::kAbsent) return false;
    if (e.uses(chain.from.x) != 1) return false;
    // Every reader of the dequantized value must be the chain.
    const ValueId dequantized_value = chain.nodes.empty() ? q.inputs[0] : graph::kAbsent;
    for (const graph::Node& node : e.nodes()) {
        if (node.op != "DequantizeLinear" || node.inputs[0] != chain.from.x) continue;
        if (e.uses(node.outputs[0]) != 1 || e.is_output(node.outputs[0])) return false;
        if (dequantized_value != graph::kAbsent && node.outputs[0] != dequantized_value) return false;
    }
    set_input(*product, 9, table);
    product->outputs[0] = q.outputs[0];
    q.outputs[0] = graph::kAbsent;
    return true;
}

Result<bool> use_table(Editor& e, graph::Node& q, const Quantization& y) {
    const auto chain = chain_to(e, q.inputs[0]);
    if (!chain || e.constant(chain->from.x)) return false;
    COFFER_TRY_ASSIGN(const auto table, make_table(e, *chain, y));
    if (!table) return false;
    if (is_identity(*table, chain->from.q.dtype)) {
        if (e.replace(q.outputs[0], chain->from.x)) return true;
    }
    const ValueId bytes = e.add_constant(e.graph().values[q.outputs[0]].name + ".table", *table);
    if (into_product(e, q, *chain, bytes)) return true;
    q.op = "ai.coffer::QTable";
    q.inputs = {chain->from.x, bytes};
    q.attrs.clear();
    return true;
}

// Relu or Clip does nothing that the quantization after it does not do anyway.
bool is_absorbed(const Editor& e, const graph::Node& node, const Quantization& y) {
    if (!is_clamp(node.op)) return false;
    double low = 0, high = INFINITY;
    if (node.op == "Clip") {
        low = -INFINITY;
        for (size_t i = 1; i < 3; ++i) {
            if (input(node, i) == graph::kAbsent) continue;
            const auto bound = e.scalar(node.inputs[i]);
            if (!bound) return false;
            (i == 1 ? low : high) = *bound;
        }
    }
    const double half = 0.5 * y.scale_value;
    return y.low() >= low - half && y.high() <= high + half;
}

// `q` becomes `op` on the integers behind `f`'s inputs.
bool use_integer_op(Editor& e, graph::Node& q, const graph::Node& f, const Quantization& y) {
    std::vector<ValueId> parts;
    for (ValueId id : f.inputs) {
        const auto d = id == graph::kAbsent ? std::nullopt : dequantized(e, id);
        if (!d || d->q.dtype != y.dtype) return false;
        parts.insert(parts.end(), {d->x, d->q.scale, d->q.zero});
    }
    std::string op;
    std::vector<graph::Attr> attrs;
    if (f.op == "Add" || f.op == "Mul") {
        op = f.op == "Add" ? "com.microsoft::QLinearAdd" : "com.microsoft::QLinearMul";
        parts.insert(parts.end(), {y.scale, y.zero});
    } else if (f.op == "Concat") {
        op = "com.microsoft::QLinearConcat";
        attrs = f.attrs;
        parts.insert(parts.begin(), {y.scale, y.zero});
    } else if (f.op == "GlobalAveragePool" || (f.op == "AveragePool" && ints_attr(f, "dilations").empty())) {
        op = "com.microsoft::QLinear" + f.op;
        if (!is_fast(op)) return false;
        attrs = f.attrs;
        parts.insert(parts.end(), {y.scale, y.zero});
    } else {
        return false;
    }
    q.op = op;
    q.inputs = parts;
    q.attrs = attrs;
    return true;
}

Result<bool> rewrite(Editor& e, graph::Node& q) {
    const auto y = quantization_of(e, q);
    if (!y || !(y->scale_value > 0)) return false;
    COFFER_TRY_ASSIGN(const bool table, use_table(e, q, *y));
    if (table) return true;
    const graph::Node* f = e.producer(q.inputs[0]);
    if (f && e.uses(q.inputs[0]) == 1 && is_absorbed(e, *f, *y)) {
        const ValueId before = f->inputs[0];
        f = e.uses(before) == 1 ? e.producer(before) : nullptr;
    } else if (f && e.uses(q.inputs[0]) != 1) {
        f = nullptr;
    }
    return f && use_integer_op(e, q, *f, *y);
}

}  // namespace

Result<size_t> integer_elementwise(graph::Model& model) {
    size_t made = 0;
    for (size_t g = 0; g < model.graphs.size(); ++g) {
        Editor e(model, g);
        for (graph::Node& node : e.nodes()) {
            if (node.op != "QuantizeLinear" || node.outputs[0] == graph::kAbsent) continue;
            COFFER_TRY_ASSIGN(const bool changed, rewrite(e, node));
            if (!changed) continue;
            e.refresh();
            ++made;
        }
        e.sweep();
    }
    return made;
}

}  // namespace coffer::offline::passes
