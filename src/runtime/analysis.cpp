#include "runtime/analysis.hpp"

#include <list>

namespace coffer::runtime {
namespace {

// Larger results are computed in the run like any other, so that planning stays cheap and small.
constexpr size_t kFoldLimit = size_t{1} << 16;

bool has_subgraph(const graph::Node& node) {
    for (const graph::Attr& attr : node.attrs) {
        if (std::holds_alternative<graph::GraphRef>(attr.value)) return true;
    }
    return false;
}

struct NodeInputs {
    std::vector<ops::Type> types;
    std::vector<const TensorView*> known;
    bool ready = true;
    bool all_known = true;
    bool plain = true;             // dense tensors of fixed-size elements only
    bool closed = false;           // the bytes of a large constant are not there, so it is not among the known ones
    std::list<TensorView> opened;  // `known` points into it

    NodeInputs() = default;
    NodeInputs(NodeInputs&&) = default;
    // Known input `i`, whose bytes are there.
    Status open(size_t i, const TensorView& view, WeightStore& weights) {
        COFFER_TRY_ASSIGN(const TensorView now, weights.open(view));
        known[i] = now.data == view.data ? &view : &opened.emplace_back(now);
        return {};
    }
};

Result<NodeInputs> collect(const graph::Node& node, const Analysis& a, WeightStore* weights) {
    NodeInputs in;
    in.types.reserve(node.inputs.size());
    in.known.reserve(node.inputs.size());
    for (graph::ValueId id : node.inputs) {
        if (id == graph::kAbsent) {
            in.types.push_back({});
            in.known.push_back(nullptr);
            continue;
        }
        const ValueFacts& v = a.values[id];
        in.types.push_back(v.type);
        const TensorView* known = v.known.valid() ? &v.known.view() : nullptr;
        in.known.push_back(known);
        if (known && weights && !weights->is_open(*known)) {
            // Shapes and axes are smaller; larger constants are opened only for an op that cannot infer without.
            if (known->nbytes() <= WeightStore::kSmall) {
                COFFER_TRY(in.open(in.known.size() - 1, *known, *weights));
            } else {
                in.known.back() = nullptr;
                in.closed = true;
            }
        }
        in.ready &= v.ready;
        in.all_known &= v.known.valid();
        in.plain &= v.type.kind == ValueKind::kTensor && v.type.dtype != DType::kString;
    }
    return in;
}

// All bytes of known inputs are there.
Status open_inputs(const graph::Node& node, const Analysis& a, WeightStore* weights, NodeInputs* in) {
    for (size_t i = 0; weights && i < node.inputs.size(); ++i) {
        if (node.inputs[i] == graph::kAbsent || !a.values[node.inputs[i]].known.valid()) continue;
        COFFER_TRY(in->open(i, a.values[node.inputs[i]].known.view(), *weights));
    }
    in->closed = false;
    return {};
}

bool is_plannable(const graph::Node& node, std::span<const ops::Type> out) {
    for (size_t i = 0; i < out.size(); ++i) {
        if (node.outputs[i] == graph::kAbsent) continue;
        if (out[i].kind != ValueKind::kTensor || !out[i].shape_known || out[i].dtype == DType::kString ||
            out[i].dtype == DType::kUndefined) {
            return false;
        }
    }
    return true;
}

bool fits(std::span<const ops::Type> types) {
    size_t total = 0;
    for (const ops::Type& t : types) {
        size_t bytes = 0;
        if (t.kind != ValueKind::kTensor || !t.shape_known || !checked_nbytes(t.shape, t.dtype, &bytes)) return false;
        if (!checked_add(total, bytes, &total)) return false;
    }
    return total <= kFoldLimit;
}

Status fold(const ops::Op& op, const graph::Node& node, const NodeInputs& in, GraphRunner* graphs, Scratch& scratch,
            Analysis& a) {
    std::vector<Value> inputs;
    for (size_t i = 0; i < node.inputs.size(); ++i) {
        if (node.inputs[i] == graph::kAbsent) {
            inputs.emplace_back();
            continue;
        }
        const ValueFacts& v = a.values[node.inputs[i]];
        if (!v.known.valid()) {  // Shape and Size read no data: a view without bytes is enough for them
            inputs.emplace_back(Tensor::wrap({nullptr, v.type.dtype, v.type.shape}, nullptr));
        } else if (in.known[i] && in.known[i]->data != v.known.view().data) {
            inputs.emplace_back(Tensor::wrap(*in.known[i], nullptr));
        } else {
            inputs.emplace_back(v.known);
        }
    }
    COFFER_TRY_ASSIGN(std::vector<Value> outputs, evaluate_node(op, node, inputs, graphs, scratch));
    for (size_t i = 0; i < node.outputs.size(); ++i) {
        if (node.outputs[i] == graph::kAbsent) continue;
        ValueFacts& v = a.values[node.outputs[i]];
        v.type = type_of(outputs[i]);
        v.known = outputs[i].tensor;
        v.ready = true;
    }
    return {};
}

}  // namespace

Analysis begin_analysis(const graph::Model& model, uint32_t graph_index) {
    const graph::Graph& g = model.graphs[graph_index];
    Analysis a;
    a.values.resize(g.values.size());
    a.nodes.assign(g.nodes.size(), NodeState::kDead);
    for (size_t id = 0; id < g.values.size(); ++id) {
        if (g.values[id].constant < 0) continue;
        ValueFacts& v = a.values[id];
        v.known = model.constants[static_cast<size_t>(g.values[id].constant)].tensor;
        v.type = {ValueKind::kTensor, v.known.dtype(), v.known.shape(), true};
        v.ready = true;
    }
    std::vector<bool> wanted(g.values.size(), false);
    for (graph::ValueId id : g.outputs) wanted[id] = true;
    for (size_t n = g.nodes.size(); n-- > 0;) {
        const graph::Node& node = g.nodes[n];
        for (graph::ValueId id : node.outputs) {
            if (id != graph::kAbsent && wanted[id]) a.nodes[n] = NodeState::kPending;
        }
        if (a.nodes[n] == NodeState::kDead) continue;
        for (graph::ValueId id : node.inputs) {
            if (id != graph::kAbsent) wanted[id] = true;
        }
    }
    return a;
}

Status analyse(const graph::Model& model, uint32_t graph_index, GraphRunner* graphs, Scratch& scratch, Analysis& a,
               WeightStore* weights) {
    const graph::Graph& g = model.graphs[graph_index];
    for (size_t n = 0; n < g.nodes.size(); ++n) {
        if (a.nodes[n] != NodeState::kPending) continue;
        const graph::Node& node = g.nodes[n];
        const ops::Op* op = ops::find(node.op);
        if (!op) {
            return error(Code::kUnsupported, Detail::kUnsupported, "op '", node.op, "' of node '", node.name,
                         "' is not in this build");
        }
        COFFER_TRY(ops::check_node(*op, node));
        COFFER_TRY_ASSIGN(NodeInputs in, collect(node, a, weights));
        if (!in.ready) continue;
        a.nodes[n] = NodeState::kDynamic;
        if (!in.plain) continue;

        std::vector<ops::Type> out(node.outputs.size());
        Status inferred = infer_node(*op, node, in.types, in.known, graphs, out);
        if (in.closed && (!inferred.ok() || !is_plannable(node, out))) {
            COFFER_TRY(open_inputs(node, a, weights, &in));
            out.assign(out.size(), {});
            inferred = infer_node(*op, node, in.types, in.known, graphs, out);
        }
        COFFER_TRY(std::move(inferred));
        if (!is_plannable(node, out)) continue;
        const bool computable = op->facts->type_only || (in.all_known && op->facts->deterministic);
        if (computable && !has_subgraph(node) && fits(out)) {
            if (!op->facts->type_only) COFFER_TRY(open_inputs(node, a, weights, &in));
            COFFER_TRY(fold(*op, node, in, graphs, scratch, a));
            a.nodes[n] = NodeState::kFolded;
            continue;
        }
        for (size_t i = 0; i < out.size(); ++i) {
            if (node.outputs[i] == graph::kAbsent) continue;
            ValueFacts& v = a.values[node.outputs[i]];
            v.type = out[i];
            v.ready = true;
        }
        a.nodes[n] = NodeState::kStatic;
    }
    return {};
}

}  // namespace coffer::runtime
