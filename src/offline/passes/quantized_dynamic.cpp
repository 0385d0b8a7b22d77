// DynamicQuantizeLinear -> MatMulInteger or ConvInteger -> Cast -> Mul by both scales [-> + bias] becomes one
// QMatMul or QConv with a float result.
#include "offline/passes/list.hpp"
#include "offline/passes/quantized.hpp"

namespace coffer::offline::passes {
namespace {

// The other input of a node of two, when one is `id`.
ValueId other_input(const graph::Node& node, ValueId id) {
    if (node.inputs.size() != 2) return graph::kAbsent;
    return node.inputs[0] == id ? node.inputs[1] : node.inputs[1] == id ? node.inputs[0] : graph::kAbsent;
}

// Constant numbers as a vector: one, or one for each of `count` channels, whose axis must be the one that has
// `after` axes behind it.
ValueId as_row(Editor& e, ValueId id, int64_t count, int after) {
    const Tensor* t = e.constant(id);
    if (!t || t->dtype() != DType::kFloat) return graph::kAbsent;
    if (t->elements() == 1) return id;
    const Shape& s = t->shape();
    if (t->elements() != count || s.rank() <= after || s[s.rank() - 1 - after] != count) return graph::kAbsent;
    if (s.rank() == 1) return id;
    return e.add_constant(e.graph().values[id].name + ".row", t->reshaped(Shape{count}));
}

bool make_integer(Editor& e, graph::Node& mul) {
    if (mul.op != "Mul") return false;
    for (size_t side = 0; side < 2; ++side) {
        const graph::Node* cast = e.producer(mul.inputs[side], "Cast");
        const graph::Node* scales = e.producer(mul.inputs[1 - side], "Mul");
        if (!cast || !scales || int_attr(*cast, "to", 0) != static_cast<int64_t>(DType::kFloat)) continue;
        const graph::Node* sums = e.producer(cast->inputs[0]);
        if (!sums || (sums->op != "MatMulInteger" && sums->op != "ConvInteger")) continue;
        const graph::Node* source = e.producer(sums->inputs[0], "DynamicQuantizeLinear");
        if (!source || source->outputs.size() != 3 || sums->inputs[0] != source->outputs[0]) continue;
        if (input(*sums, 2) != source->outputs[2]) continue;
        const ValueId w_scale = other_input(*scales, source->outputs[1]);

        Product p;
        p.conv = sums->op == "ConvInteger";
        const Tensor* w = e.constant(sums->inputs[1]);
        if (!w || w_scale == graph::kAbsent) continue;
        const int rank = w->shape().rank();
        if (p.conv ? rank < 3 || rank > 5 : rank != 2) continue;
        const int64_t channels = w->shape()[p.channel_axis()];
        const int after = p.conv ? rank - 2 : 0;
        IntegerInputs in;
        in.w = sums->inputs[1];
        in.w_scale = as_row(e, w_scale, channels, after);
        in.w_zero = input(*sums, 3);
        if (in.w_scale == graph::kAbsent || (in.w_zero != graph::kAbsent && !e.constant(in.w_zero))) continue;
        if (e.uses(source->outputs[0]) == 1) {
            in.x = source->inputs[0];
        } else {  // several products read it: quantize once
            in.x = source->outputs[0];
            in.x_scale = source->outputs[1];
            in.x_zero = source->outputs[2];
        }
        graph::Node* last = &mul;
        if (graph::Node* add = e.only_reader(mul, "Add")) {
            const ValueId other = other_input(*add, mul.outputs[0]);
            const ValueId bias = other == graph::kAbsent ? other : as_row(e, other, channels, after);
            // QConv takes one number a channel.
            if (bias != graph::kAbsent && (!p.conv || e.constant(bias)->shape() == Shape{channels})) {
                in.bias = bias;
                last = add;
            }
        }
        const std::vector<graph::Attr> attrs = sums->attrs;
        const ValueId result = last->outputs[0];
        last->outputs[0] = graph::kAbsent;
        mul.outputs[0] = result;
        mul.attrs = attrs;
        become_integer(mul, p, in);
        e.refresh();
        return true;
    }
    return false;
}

}  // namespace

Result<size_t> integer_dynamic(graph::Model& model) {
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
