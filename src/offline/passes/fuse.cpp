// What a convolution or matrix product can do with its result before it is stored: bias, residual, activation
// (ai.coffer FusedConv and FusedMatMul).
#include <algorithm>

#include "offline/passes/editor.hpp"
#include "offline/passes/list.hpp"
#include "offline/shapes.hpp"

namespace coffer::offline::passes {
namespace {

constexpr std::string_view kConv = "ai.coffer::FusedConv", kMatMul = "ai.coffer::FusedMatMul";

struct Fused {
    std::string activation;
    PrivateVector<float> params;
};

// The activation that a node is, when it can be an epilogue.
std::optional<Fused> as_epilogue(const Editor& e, const graph::Node& node) {
    if (node.op == "Relu" || node.op == "Sigmoid" || node.op == "Tanh" || node.op == "HardSwish")
        return Fused{node.op, {}};
    if (node.op == "LeakyRelu") return Fused{node.op, {float_attr(node, "alpha", 0.01f)}};
    if (node.op == "Elu") return Fused{node.op, {float_attr(node, "alpha", 1)}};
    if (node.op == "Swish") return Fused{node.op, {float_attr(node, "alpha", 1)}};
    if (node.op == "HardSigmoid")
        return Fused{node.op, {float_attr(node, "alpha", 0.2f), float_attr(node, "beta", 0.5f)}};
    if (node.op == "Gelu") return Fused{string_attr(node, "approximate") == "tanh" ? "GeluTanh" : "Gelu", {}};
    if (node.op == "Clip") {
        Fused f{node.op, {-3.4028235e38f, 3.4028235e38f}};
        for (size_t i = 0; i < 2; ++i) {
            if (input(node, i + 1) == graph::kAbsent) continue;
            const auto bound = e.scalar(input(node, i + 1));
            if (!bound) return std::nullopt;
            f.params[i] = static_cast<float>(*bound);
        }
        return f;
    }
    return std::nullopt;
}

bool is_float(const Editor& e, const graph::Node& node) {
    const Tensor* w = e.constant(input(node, 1));
    return w && w->dtype() == DType::kFloat;
}

// Conv and FusedConv, MatMul, Gemm and FusedMatMul take an epilogue; makes the node the fused op.
bool make_fused(Editor& e, graph::Node& node) {
    if (!is_float(e, node)) return false;
    if (node.op == kConv || node.op == kMatMul) return true;
    if (node.op == "Conv") {
        node.op = kConv;
        return true;
    }
    const Tensor& w = *e.constant(node.inputs[1]);
    if (w.shape().rank() != 2) return false;
    if (node.op == "MatMul") {
        node.op = kMatMul;
        return true;
    }
    if (node.op != "Gemm" || float_attr(node, "alpha", 1) != 1 || float_attr(node, "beta", 1) != 1 ||
        int_attr(node, "transA", 0) != 0) {
        return false;
    }
    const int64_t columns = w.shape()[int_attr(node, "transB", 0) != 0 ? 0 : 1];
    if (const ValueId c = input(node, 2); c != graph::kAbsent) {
        const Tensor* bias = e.constant(c);
        if (!bias || bias->shape() != Shape{columns}) return false;
    }
    node.op = kMatMul;
    node.erase("alpha");
    node.erase("beta");
    return true;
}

bool has_activation(const graph::Node& node) {
    return !string_attr(node, "activation").empty();
}

// `node` writes what `next` wrote; next is gone. `node` moves to next's place, where all of its inputs exist.
void take_over(Editor& e, graph::Node& node, graph::Node& next) {
    node.outputs[0] = next.outputs[0];
    next.outputs[0] = graph::kAbsent;
    std::swap(node, next);
    e.sweep();
}

}  // namespace

// MatMul + Add of a constant row.
Result<size_t> fuse_bias(graph::Model& model) {
    size_t fused = 0;
    for (size_t g = 0; g < model.graphs.size(); ++g) {
        Editor e(model, g);
        for (size_t n = 0; n < e.nodes().size(); ++n) {
            graph::Node& node = e.nodes()[n];
            if (node.op != "MatMul" || !is_float(e, node)) continue;
            graph::Node* add = e.only_reader(node, "Add");
            const Tensor& w = *e.constant(node.inputs[1]);
            if (!add || w.shape().rank() != 2) continue;
            const ValueId other = add->inputs[add->inputs[0] == node.outputs[0] ? 1 : 0];
            const Tensor* bias = e.constant(other);
            if (!bias || bias->dtype() != DType::kFloat || bias->shape() != Shape{w.shape()[1]}) continue;
            node.op = kMatMul;
            set_input(node, 2, other);
            take_over(e, node, *add);
            ++fused;
        }
    }
    return fused;
}

// Convolution or matrix product + Add of a value of the same shape, before any activation.
Result<size_t> fuse_residual(graph::Model& model) {
    const SampledTypes types(model);
    if (!types.valid()) return size_t{0};
    Editor e(model, 0);
    size_t fused = 0;
    for (size_t n = 0; n < e.nodes().size(); ++n) {
        graph::Node& node = e.nodes()[n];
        const bool product =
            node.op == "Conv" || node.op == kConv || node.op == "MatMul" || node.op == kMatMul || node.op == "Gemm";
        if (!product || has_activation(node) || input(node, 3) != graph::kAbsent) continue;
        graph::Node* add = e.only_reader(node, "Add");
        if (!add || add->inputs[0] == add->inputs[1]) continue;
        const ValueId other = add->inputs[add->inputs[0] == node.outputs[0] ? 1 : 0];
        if (e.constant(other) || !types.same_shape(other, node.outputs[0])) continue;
        if (types.dtype(other) != DType::kFloat || !make_fused(e, node)) continue;
        set_input(node, 3, other);
        take_over(e, node, *add);
        ++fused;
    }
    return fused;
}

Result<size_t> fuse_activations(graph::Model& model) {
    size_t fused = 0;
    for (size_t g = 0; g < model.graphs.size(); ++g) {
        Editor e(model, g);
        for (size_t n = 0; n < e.nodes().size(); ++n) {
            graph::Node& node = e.nodes()[n];
            const bool product = node.op == "Conv" || node.op == kConv || node.op == "MatMul" || node.op == kMatMul ||
                                 node.op == "Gemm";
            if (!product || has_activation(node)) continue;
            graph::Node* next = e.only_reader(node);
            if (!next || next->inputs[0] != node.outputs[0] || next->outputs.size() != 1) continue;
            const auto epilogue = as_epilogue(e, *next);
            if (!epilogue || !make_fused(e, node)) continue;
            node.set("activation", epilogue->activation);
            if (!epilogue->params.empty()) node.set("activation_params", epilogue->params);
            take_over(e, node, *next);
            ++fused;
        }
    }
    return fused;
}

}  // namespace coffer::offline::passes
