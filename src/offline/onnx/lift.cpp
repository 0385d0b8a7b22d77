#include "offline/onnx/lift.hpp"

#include <limits>

namespace coffer::offline {

using graph::kAbsent;
using graph::ValueId;

namespace {

struct Row {
    std::string_view op;
    int64_t before;  // the form changed in this opset: applies to files below it
    LiftFunction function;
};
constexpr int64_t kAlways = std::numeric_limits<int64_t>::max();

// Rows of one op apply in this order.
constexpr Row kRows[] = {
    {"BatchNormalization", 9, lift_batch_norm_spatial},
    {"BatchNormalization", 14, lift_batch_norm_outputs},
    {"Clip", 11, lift_clip},
    {"DFT", 20, lift_dft},
    {"Dropout", kAlways, lift_dropout},
    {"GridSample", 20, lift_grid_sample},
    {"GroupNormalization", 21, lift_group_norm},
    {"Hardmax", 13, lift_flat_axis},
    {"LogSoftmax", 13, lift_flat_axis},
    {"Pad", 11, lift_pad},
    {"ReduceL1", 18, lift_axes},
    {"ReduceL2", 18, lift_axes},
    {"ReduceLogSum", 18, lift_axes},
    {"ReduceLogSumExp", 18, lift_axes},
    {"ReduceMax", 18, lift_axes},
    {"ReduceMean", 18, lift_axes},
    {"ReduceMin", 18, lift_axes},
    {"ReduceProd", 18, lift_axes},
    {"ReduceSum", 13, lift_axes},
    {"ReduceSumSquare", 18, lift_axes},
    {"Resize", 11, lift_resize_scales},
    {"Resize", kAlways, lift_resize_empty},
    {"RoiAlign", 16, lift_roi_align},
    {"Scan", 9, lift_scan},
    {"Scatter", kAlways, lift_scatter},
    {"Slice", 10, lift_slice},
    {"Softmax", 13, lift_flat_axis},
    {"Split", 13, lift_split_sizes},
    {"Split", 18, lift_split_equal},
    {"Squeeze", 13, lift_axes},
    {"TopK", 10, lift_topk},
    {"Unsqueeze", 13, lift_axes},
    {"Upsample", kAlways, lift_upsample},
    {"ai.onnx.ml::LabelEncoder", 2, lift_label_encoder},
};

template <class T>
const T* find(const graph::Node& node, std::string_view name) {
    const graph::Attr* attr = node.find(name);
    return attr ? std::get_if<T>(&attr->value) : nullptr;
}

template <class T>
std::optional<T> take(graph::Node& node, std::string_view name) {
    const T* found = find<T>(node, name);
    if (!found) return std::nullopt;
    T value = *found;
    node.erase(name);
    return value;
}

}  // namespace

Lift::Lift(GraphBuilder& builder, graph::Node file_node, int64_t file_opset, std::vector<graph::Node>& nodes)
    : node(std::move(file_node)), opset(file_opset), builder_(builder), nodes_(nodes) {
    const bool has_result = !node.outputs.empty() && node.outputs[0] != kAbsent;
    base_ = has_result ? builder.built.values[node.outputs[0]].name : node.name;
}

void Lift::set_input(size_t i, ValueId id) {
    if (node.inputs.size() <= i) node.inputs.resize(i + 1, kAbsent);
    node.inputs[i] = id;
}

int64_t Lift::attr_i(std::string_view name, int64_t fallback) const {
    const auto* value = find<int64_t>(node, name);
    return value ? *value : fallback;
}
float Lift::attr_f(std::string_view name, float fallback) const {
    const auto* value = find<float>(node, name);
    return value ? *value : fallback;
}
std::string Lift::attr_s(std::string_view name, const char* fallback) const {
    const auto* value = find<std::string>(node, name);
    return value ? *value : fallback;
}
std::optional<PrivateVector<int64_t>> Lift::take_ints(std::string_view name) {
    return take<PrivateVector<int64_t>>(node, name);
}
std::optional<PrivateVector<float>> Lift::take_floats(std::string_view name) {
    return take<PrivateVector<float>>(node, name);
}

ValueId Lift::constant(const char* role, Tensor tensor) {
    return builder_.add_constant(base_ + "/" + role, std::move(tensor));
}

ValueId Lift::ints(const char* role, const PrivateVector<int64_t>& values) {
    return constant(role, Tensor::of<int64_t>(values));
}

ValueId Lift::scalar_like(const char* role, float value, ValueId like) {
    const DType dtype = like == kAbsent ? DType::kFloat : hint(like).dtype;
    if (dtype == DType::kUndefined) {
        return emit("CastLike", {constant(role, Tensor::scalar(value)), like}, {}, role);
    }
    auto tensor = Tensor::create(dtype, {});
    if (tensor.ok()) store_double(tensor->view(), 0, value);
    return constant(role, tensor.ok() ? std::move(tensor).value() : Tensor::scalar(value));
}

ValueId Lift::emit(const char* op, std::vector<ValueId> inputs, std::vector<graph::Attr> attrs, const char* role) {
    const ValueId out = builder_.add_value(base_ + "/" + role);
    nodes_.push_back(
        {op, node.name.empty() ? std::string() : node.name + "/" + role, std::move(inputs), {out}, std::move(attrs)});
    return out;
}

void Lift::ints_to_input(std::string_view name, size_t i) {
    const auto values = take_ints(name);
    if (values) set_input(i, ints(std::string(name).c_str(), *values));
}

Result<std::vector<graph::Node>> lift(GraphBuilder& builder, graph::Node node, int64_t opset) {
    std::vector<graph::Node> nodes;
    Lift l(builder, std::move(node), opset, nodes);
    const std::string op = l.node.op;
    for (const Row& row : kRows) {
        if (row.op == op && opset < row.before) COFFER_TRY(row.function(l));
    }
    nodes.push_back(std::move(l.node));
    return nodes;
}

}  // namespace coffer::offline
