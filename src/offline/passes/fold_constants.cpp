// Computing at pack time what does not depend on inputs: constants, and shapes where they are fixed.
#include <algorithm>

#include "coffer/ops/op.hpp"
#include "offline/passes/editor.hpp"
#include "offline/passes/list.hpp"
#include "offline/shapes.hpp"
#include "runtime/evaluate.hpp"

namespace coffer::offline::passes {
namespace {

// A folded result may be a little larger than what it came from (float16 weights cast to float32), or small.
constexpr size_t kSmall = size_t{1} << 20;
constexpr size_t kGrowth = 4;

bool has_subgraph(const graph::Node& node) {
    return std::ranges::any_of(node.attrs,
                               [](const graph::Attr& a) { return std::holds_alternative<graph::GraphRef>(a.value); });
}

// The inputs of a node whose inputs are all constants.
bool constant_inputs(Editor& e, const graph::Node& node, std::vector<Value>* values) {
    for (ValueId id : node.inputs) {
        if (id == graph::kAbsent) {
            values->emplace_back();
            continue;
        }
        const Tensor* t = e.constant(id);
        if (!t) return false;
        values->emplace_back(*t);
    }
    return true;
}

// Quantized weights stay as they are: DequantizeLinear of a constant belongs to the integer passes.
bool kept(const graph::Node& node) {
    return node.op == "DequantizeLinear";
}

Result<bool> worth_it(const ops::Op& op, const graph::Node& node, std::span<const Value> inputs) {
    std::vector<ops::Type> in, out(node.outputs.size());
    std::vector<const TensorView*> known;
    size_t read = 0, made = 0;
    for (const Value& v : inputs) {
        in.push_back(runtime::type_of(v));
        known.push_back(v.tensor.valid() ? &v.tensor.view() : nullptr);
        read += v.tensor.valid() ? v.tensor.nbytes() : 0;
    }
    COFFER_TRY(runtime::infer_node(op, node, in, known, nullptr, out));
    for (const ops::Type& t : out) {
        size_t bytes = 0;
        if (t.dtype == DType::kUndefined) continue;
        if (t.kind != ValueKind::kTensor) return false;
        if (!t.shape_known) continue;  // NonZero and the like: no larger than a small multiple of the input
        if (!checked_nbytes(t.shape, t.dtype, &bytes)) return false;
        made += bytes;
    }
    return made <= std::max(kSmall, read * kGrowth);
}

}  // namespace

Result<size_t> fold_constants(graph::Model& model) {
    size_t folded = 0;
    runtime::Scratch scratch;
    for (size_t index = 0; index < model.graphs.size(); ++index) {
        Editor e(model, index);
        for (graph::Node& node : e.nodes()) {
            const ops::Op* op = ops::find(node.op);
            std::vector<Value> inputs;
            if (!op || !op->facts->deterministic || has_subgraph(node) || kept(node)) continue;
            if (!constant_inputs(e, node, &inputs)) continue;
            COFFER_TRY_ASSIGN(const bool fold, worth_it(*op, node, inputs));
            if (!fold) continue;
            COFFER_TRY_ASSIGN(std::vector<Value> results,
                              runtime::evaluate_node(*op, node, inputs, nullptr, scratch));
            const bool tensors =
                std::ranges::all_of(results, [](const Value& v) { return v.kind == ValueKind::kTensor; });
            if (!tensors) continue;
            for (size_t i = 0; i < node.outputs.size(); ++i) {
                if (node.outputs[i] == graph::kAbsent) continue;
                graph::ValueInfo& v = e.graph().values[node.outputs[i]];
                v.constant = static_cast<int32_t>(model.constants.size());
                v.type = graph::Type::tensor(results[i].tensor.dtype(), results[i].tensor.shape());
                model.constants.push_back({v.name, results[i].tensor});
            }
            node.outputs.assign(node.outputs.size(), graph::kAbsent);
            ++folded;
        }
        e.sweep();
    }
    return folded;
}

// Values that follow from fixed input shapes: Shape, and the arithmetic behind it.
Result<size_t> fold_shapes(graph::Model& model) {
    const auto analysis = analyse_fixed(model);
    if (!analysis) return size_t{0};
    Editor e(model, 0);
    size_t folded = 0;
    for (graph::Node& node : e.nodes()) {
        const bool all_known = std::ranges::all_of(
            node.outputs, [&](ValueId id) { return id == graph::kAbsent || analysis->values[id].known.valid(); });
        if (!all_known || kept(node)) continue;
        for (ValueId& id : node.outputs) {
            if (id == graph::kAbsent) continue;
            graph::ValueInfo& v = e.graph().values[id];
            const Tensor& known = analysis->values[id].known;
            v.constant = static_cast<int32_t>(model.constants.size());
            v.type = graph::Type::tensor(known.dtype(), known.shape());
            model.constants.push_back({v.name, known});
            id = graph::kAbsent;
        }
        ++folded;
    }
    e.sweep();
    return folded;
}

}  // namespace coffer::offline::passes
