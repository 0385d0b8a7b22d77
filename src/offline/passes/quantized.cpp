#include "offline/passes/quantized.hpp"

#include <algorithm>
#include <array>

#include "coffer/ops/op.hpp"

namespace coffer::offline {
namespace {

// With a positive scale, the largest of some elements is one of them.
constexpr std::array<std::string_view, 15> kMoves = {
    "Reshape", "Transpose", "Flatten",  "Squeeze",      "Unsqueeze", "Slice",        "Split",         "Gather",
    "Expand",  "Tile",      "Identity", "DepthToSpace", "MaxPool",   "SpaceToDepth", "GatherElements"};

}  // namespace

bool moves_elements(const Editor& e, const graph::Node& node) {
    if (node.op == "Pad") {  // with zeros, which integers have
        const std::string mode = string_attr(node, "mode");
        return (mode.empty() || mode == "constant") &&
               (input(node, 2) == graph::kAbsent || e.scalar(node.inputs[2]) == 0);
    }
    if (std::ranges::find(kMoves, node.op) == kMoves.end()) return false;
    return node.op != "MaxPool" || node.outputs.size() < 2 || node.outputs[1] == graph::kAbsent;  // with indices
}

std::optional<size_t> elementwise_input(const Editor& e, const graph::Node& node) {
    const ops::Op* op = ops::find(node.op);
    if (!op || op->facts->layout != ops::LayoutRule::kElementwise || !op->facts->deterministic) return std::nullopt;
    if (node.outputs.size() != 1 || node.op.starts_with("com.microsoft::QLinear") || node.op == "Cast" ||
        node.op == "QuantizeLinear" || node.op == "DequantizeLinear") {
        return std::nullopt;
    }
    std::optional<size_t> data;
    for (size_t i = 0; i < node.inputs.size(); ++i) {
        if (node.inputs[i] == graph::kAbsent) continue;
        if (const Tensor* t = e.constant(node.inputs[i])) {
            if (t->elements() != 1 || t->shape().rank() > 1) return std::nullopt;
        } else if (data) {
            return std::nullopt;
        } else {
            data = i;
        }
    }
    return data;
}

bool is_fast(std::string_view name) {
    const ops::Op* op = ops::find(name);
    return op && !op->variants.empty();
}

std::optional<Product> as_product(const graph::Node& node) {
    Product p;
    p.x = input(node, 0);
    p.w = input(node, 1);
    p.bias = input(node, 2);
    if (node.op == "Conv" || node.op == "ai.coffer::FusedConv") {
        p.conv = true;
        p.residual = input(node, 3);
    } else if (node.op == "MatMul") {
        p.bias = graph::kAbsent;
    } else if (node.op == "Gemm") {
        if (float_attr(node, "alpha", 1) != 1 || float_attr(node, "beta", 1) != 1) return std::nullopt;
    } else if (node.op == "ai.coffer::FusedMatMul") {
        if (float_attr(node, "alpha", 1) != 1) return std::nullopt;
        p.residual = input(node, 3);
    } else {
        return std::nullopt;
    }
    if (int_attr(node, "transA", 0) != 0) return std::nullopt;
    p.w_transposed = int_attr(node, "transB", 0) != 0;
    p.activation = string_attr(node, "activation");
    if (const graph::Attr* a = node.find("activation_params")) {
        if (const auto* floats = std::get_if<PrivateVector<float>>(&a->value)) p.params = *floats;
    }
    return p;
}

bool is_clamp(std::string_view activation) {
    return activation == "Relu" || activation == "Clip";
}

void become_integer(graph::Node& node, const Product& product, const IntegerInputs& in) {
    node.op = product.conv ? kQConv : kQMatMul;
    node.inputs = {in.x,      in.x_scale, in.x_zero, in.w,    in.w_scale,
                   in.w_zero, in.y_scale, in.y_zero, in.bias, in.table};
    while (node.inputs.back() == graph::kAbsent) node.inputs.pop_back();
    for (const char* name : {"alpha", "beta", "transA", "transB", "activation", "activation_params"})
        node.erase(name);
    if (product.w_transposed) node.set("w_transposed", int64_t{1});
    if (!product.activation.empty()) node.set("activation", product.activation);
    if (!product.params.empty()) node.set("activation_params", product.params);
}

std::optional<Quantization> quantization_of(Editor& e, graph::Node& node, DType dequantized) {
    Quantization q;
    q.scale = input(node, 1);
    q.zero = input(node, 2);
    if (q.scale == graph::kAbsent || int_attr(node, "block_size", 0) != 0) return std::nullopt;
    const Tensor* scale = e.constant(q.scale);
    if (!scale || scale->elements() != 1 || scale->dtype() != DType::kFloat) return std::nullopt;
    q.scale_value = *scale->view().as<const float>();
    q.dtype = dequantized;
    if (q.zero != graph::kAbsent) {
        const Tensor* zero = e.constant(q.zero);
        if (!zero || zero->elements() != 1) return std::nullopt;
        q.dtype = zero->dtype();
        q.zero_value = load_int(zero->view(), 0);
    } else if (node.op == "QuantizeLinear") {
        const int64_t type = int_attr(node, "output_dtype", 0);
        q.dtype = type == 0 ? DType::kUint8 : static_cast<DType>(type);
    }
    if (q.dtype != DType::kUint8 && q.dtype != DType::kInt8) return std::nullopt;
    if (q.zero == graph::kAbsent) {
        q.zero = e.add_constant(e.graph().values[q.scale].name + ".zero",
                                q.dtype == DType::kInt8 ? Tensor::scalar(int8_t{0}) : Tensor::scalar(uint8_t{0}));
    }
    return q;
}

std::optional<Dequantized> dequantized(Editor& e, ValueId id) {
    graph::Node* node = e.producer(id, "DequantizeLinear");
    if (!node) return std::nullopt;
    // A zero point says the type of the integers; without one it comes from whoever writes them.
    DType type = e.graph().values[node->inputs[0]].type.dtype;
    if (const graph::Node* from = e.producer(node->inputs[0], "QuantizeLinear"); from && type == DType::kUndefined) {
        const Tensor* zero = input(*from, 2) == graph::kAbsent ? nullptr : e.constant(from->inputs[2]);
        type = zero ? zero->dtype() : DType::kUint8;
        if (const int64_t named = int_attr(*from, "output_dtype", 0); named != 0) type = static_cast<DType>(named);
    }
    const auto q = quantization_of(e, *node, type);
    if (!q) return std::nullopt;
    return Dequantized{node->inputs[0], *q};
}

std::optional<PrivateVector<float>> constant_floats(const Editor& e, ValueId id) {
    if (id == graph::kAbsent) return std::nullopt;
    const graph::Node* node = e.producer(id, "DequantizeLinear");
    const Tensor* t = e.constant(node ? node->inputs[0] : id);
    if (!t || t->dtype() == DType::kString || (!node && t->dtype() != DType::kFloat)) return std::nullopt;
    const Tensor* scale = node ? e.constant(node->inputs[1]) : nullptr;
    const Tensor* zero = node && input(*node, 2) != graph::kAbsent ? e.constant(node->inputs[2]) : nullptr;
    if (node) {  // one scale, or one for each element of a row
        if (!scale || (input(*node, 2) != graph::kAbsent && !zero) || int_attr(*node, "block_size", 0) != 0)
            return std::nullopt;
        if (scale->elements() != 1 && (t->shape().rank() != 1 || scale->elements() != t->elements()))
            return std::nullopt;
    }
    PrivateVector<float> floats(static_cast<size_t>(t->elements()));
    for (int64_t i = 0; i < t->elements(); ++i) {
        const int64_t s = scale && scale->elements() > 1 ? i : 0;
        double value = load_double(t->view(), i) - (zero ? load_double(zero->view(), s) : 0);
        if (scale) value *= load_double(scale->view(), s);
        floats[static_cast<size_t>(i)] = static_cast<float>(value);
    }
    return floats;
}

}  // namespace coffer::offline
