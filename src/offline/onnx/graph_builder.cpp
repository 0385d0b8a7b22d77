#include "offline/onnx/graph_builder.hpp"

#include <algorithm>
#include <array>

namespace coffer::offline {
namespace {

template <size_t N>
bool is_one_of(std::string_view op, const std::array<std::string_view, N>& list) {
    return std::ranges::find(list, op) != list.end();
}

constexpr std::array<std::string_view, 13> kGiveBool = {
    "Equal", "Less", "LessOrEqual", "Greater", "GreaterOrEqual",     "And",           "Or",
    "Xor",   "Not",  "IsNaN",       "IsInf",   "OptionalHasElement", "RegexFullMatch"};
constexpr std::array<std::string_view, 7> kGiveInt64 = {
    "Shape", "Size", "NonZero", "ArgMax", "ArgMin", "NonMaxSuppression", "SequenceLength"};
constexpr std::array<std::string_view, 53> kGiveInput0 = {"Conv",
                                                          "ConvTranspose",
                                                          "Gemm",
                                                          "MatMul",
                                                          "BatchNormalization",
                                                          "InstanceNormalization",
                                                          "LRN",
                                                          "Relu",
                                                          "LeakyRelu",
                                                          "PRelu",
                                                          "Elu",
                                                          "Selu",
                                                          "Sigmoid",
                                                          "Tanh",
                                                          "HardSigmoid",
                                                          "Softplus",
                                                          "Softsign",
                                                          "Softmax",
                                                          "LogSoftmax",
                                                          "Add",
                                                          "Sub",
                                                          "Mul",
                                                          "Div",
                                                          "Pow",
                                                          "Sum",
                                                          "Mean",
                                                          "Max",
                                                          "Min",
                                                          "Neg",
                                                          "Abs",
                                                          "Exp",
                                                          "Log",
                                                          "Sqrt",
                                                          "Reciprocal",
                                                          "Clip",
                                                          "Erf",
                                                          "MaxPool",
                                                          "AveragePool",
                                                          "GlobalAveragePool",
                                                          "GlobalMaxPool",
                                                          "Reshape",
                                                          "Flatten",
                                                          "Transpose",
                                                          "Squeeze",
                                                          "Unsqueeze",
                                                          "Concat",
                                                          "Slice",
                                                          "Split",
                                                          "Pad",
                                                          "Gather",
                                                          "Expand",
                                                          "Identity",
                                                          "Resize"};

// The element type of output 0 where it follows from the op; kUndefined where this table does not say.
DType implied_dtype(const graph::Node& node, const GraphBuilder& graph) {
    if (is_one_of(node.op, kGiveBool)) return DType::kBool;
    if (is_one_of(node.op, kGiveInt64)) return DType::kInt64;
    if (node.op == "Cast") {
        const auto* to = node.find("to");
        const auto* number = to ? std::get_if<int64_t>(&to->value) : nullptr;
        return number && *number > 0 && *number < kDTypeCount ? static_cast<DType>(*number) : DType::kUndefined;
    }
    const size_t from = node.op == "Where" || node.op == "CastLike" || node.op == "DequantizeLinear" ? 1 : 0;
    if (from == 0 && !is_one_of(node.op, kGiveInput0)) return DType::kUndefined;
    if (node.inputs.size() <= from || node.inputs[from] == graph::kAbsent) return DType::kUndefined;
    return graph.hint(node.inputs[from]).dtype;
}

}  // namespace

std::string UniqueNames::operator()(std::string wanted) {
    if (wanted.empty()) wanted.push_back('_');
    uint32_t& count = used_[wanted];
    if (count++ == 0) return wanted;
    for (;; ++used_[wanted]) {
        std::string name = wanted + "_" + std::to_string(used_[wanted]);
        if (used_.try_emplace(name, 1).second) return name;
    }
}

GraphBuilder::GraphBuilder(graph::Model& model, UniqueNames& constant_names, GraphBuilder* parent, uint32_t index)
    : model_(model),
      constant_names_(constant_names),
      parent_(parent),
      index_(index),
      depth_(parent ? parent->depth_ + 1 : 0) {}

graph::ValueId GraphBuilder::add_value(const std::string& name, graph::Type hint) {
    hints_.push_back(std::move(hint));
    return built.add_value(names_(name));
}

graph::ValueId GraphBuilder::add_constant(const std::string& name, Tensor tensor) {
    graph::Type type = graph::Type::tensor(tensor.dtype(), tensor.shape());
    const graph::ValueId id = add_value(name, type);
    built.values[id].type = std::move(type);
    built.values[id].constant = static_cast<int32_t>(model_.constants.size());
    model_.constants.push_back({constant_names_(name), std::move(tensor)});
    return id;
}

graph::ValueId GraphBuilder::import_outer(graph::ValueId outer) {
    const auto known = std::ranges::find(captures_, outer, &Capture::outer);
    if (known != captures_.end()) return known->local;
    const graph::ValueInfo& info = parent_->built.values[outer];
    const graph::ValueId local = add_value(info.name, parent_->hint(outer));
    if (info.constant >= 0) {
        built.values[local].type = info.type;
        built.values[local].constant = info.constant;
    } else {
        captures_.push_back({outer, local});
    }
    return local;
}

void GraphBuilder::rename(graph::ValueId id, const std::string& name) {
    const auto holder = std::ranges::find(built.values, name, &graph::ValueInfo::name);
    if (holder != built.values.end()) holder->name = built.values[id].name;
    built.values[id].name = name;
    (void)names_(name);
}

void GraphBuilder::add_node(graph::Node node) {
    if (!node.outputs.empty() && node.outputs[0] != graph::kAbsent) {
        DType& dtype = hints_[node.outputs[0]].dtype;
        if (dtype == DType::kUndefined) dtype = implied_dtype(node, *this);
    }
    built.nodes.push_back(std::move(node));
}

}  // namespace coffer::offline
