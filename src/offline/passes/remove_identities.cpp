// Nodes that change nothing: Identity, inference-time Dropout, Cast to the same type, two Transposes or
// Reshapes in a row.
#include "offline/passes/editor.hpp"
#include "offline/passes/list.hpp"
#include "offline/shapes.hpp"

namespace coffer::offline::passes {
namespace {

bool is_identity(const Editor& e, const graph::Node& node, const SampledTypes* types) {
    if (node.op == "Identity") return true;
    if (node.op == "Dropout") {
        const auto mask = node.outputs.size() > 1 ? node.outputs[1] : graph::kAbsent;
        const auto training = e.scalar(input(node, 2));
        const bool inference = input(node, 2) == graph::kAbsent || (training && *training == 0);
        return inference && (mask == graph::kAbsent || e.uses(mask) == 0);
    }
    if (node.op == "Cast" && types) {
        const auto from = static_cast<int64_t>(types->dtype(node.inputs[0]));
        return from != 0 && from == int_attr(node, "to", -1);
    }
    if (node.op == "Transpose") {
        const auto perm = ints_attr(node, "perm");
        for (size_t i = 0; i < perm.size(); ++i) {
            if (perm[i] != static_cast<int64_t>(i)) return false;
        }
        return !perm.empty();
    }
    return false;
}

// Transpose(Transpose(x)) and Reshape(Reshape(x)) need only the outer one.
bool merge_pair(Editor& e, graph::Node& node) {
    graph::Node* inner = e.producer(node.inputs.empty() ? graph::kAbsent : node.inputs[0], node.op);
    if (!inner) return false;
    if (node.op == "Reshape") {
        // A 0 in the outer shape copies a dim of the inner result.
        const Tensor* shape = e.constant(input(node, 1));
        if (!shape || int_attr(node, "allowzero", 0) != 0) return false;
        for (int64_t i = 0; i < shape->elements(); ++i) {
            if (load_int(shape->view(), i) == 0) return false;
        }
        node.inputs[0] = inner->inputs[0];
        return true;
    }
    if (node.op != "Transpose") return false;
    const auto outer = ints_attr(node, "perm"), first = ints_attr(*inner, "perm");
    if (outer.empty() || outer.size() != first.size()) return false;
    PrivateVector<int64_t> perm;
    for (int64_t axis : outer) perm.push_back(first[static_cast<size_t>(axis)]);
    node.set("perm", perm);
    node.inputs[0] = inner->inputs[0];
    return true;
}

}  // namespace

Result<size_t> remove_identities(graph::Model& model) {
    size_t removed = 0;
    for (size_t g = 0; g < model.graphs.size(); ++g) {
        Editor e(model, g);
        std::optional<SampledTypes> types;
        if (g == 0) types.emplace(model);
        for (graph::Node& node : e.nodes()) {
            if (is_identity(e, node, types ? &*types : nullptr) && !e.is_output(node.outputs[0])) {
                removed += e.replace(node.outputs[0], node.inputs[0]);
            } else if ((node.op == "Transpose" || node.op == "Reshape") && merge_pair(e, node)) {
                e.refresh();
                ++removed;
            }
        }
        e.sweep();
    }
    return removed;
}

}  // namespace coffer::offline::passes
