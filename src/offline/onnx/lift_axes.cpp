// Attributes that became inputs.
#include <limits>

#include "offline/onnx/lift.hpp"

namespace coffer::offline {

// Squeeze, Unsqueeze, Reduce*: axes
Status lift_axes(Lift& l) {
    l.ints_to_input("axes", 1);
    return {};
}

Status lift_slice(Lift& l) {
    l.ints_to_input("starts", 1);
    l.ints_to_input("ends", 2);
    l.ints_to_input("axes", 3);
    return {};
}

Status lift_pad(Lift& l) {
    l.ints_to_input("pads", 1);
    const float value = l.attr_f("value", 0);
    l.node.erase("value");
    if (value != 0 && l.has_input(0)) l.set_input(2, l.scalar_like("value", value, l.node.inputs[0]));
    return {};
}

// The old defaults are the largest floats, which is also what a missing bound means now.
Status lift_clip(Lift& l) {
    constexpr float kLargest = std::numeric_limits<float>::max();
    const float low = l.attr_f("min", -kLargest), high = l.attr_f("max", kLargest);
    l.node.erase("min");
    l.node.erase("max");
    if (!l.has_input(0)) return {};
    const graph::ValueId x = l.node.inputs[0];
    if (low != -kLargest) l.set_input(1, l.scalar_like("min", low, x));
    if (high != kLargest) l.set_input(2, l.scalar_like("max", high, x));
    return {};
}

Status lift_split_sizes(Lift& l) {
    l.ints_to_input("split", 1);
    return {};
}

// Without sizes, the parts were equal by definition; now their number is an attribute.
Status lift_split_equal(Lift& l) {
    if (!l.has_input(1)) l.node.set("num_outputs", static_cast<int64_t>(l.node.outputs.size()));
    return {};
}

Status lift_topk(Lift& l) {
    const int64_t k = l.attr_i("k", -1);
    if (k < 0) return error(Code::kFormat, Detail::kFormat, "attribute 'k' is missing or negative");
    l.node.erase("k");
    l.set_input(1, l.ints("k", {k}));
    return {};
}

// The default axis was 1 and is -2 now.
Status lift_dft(Lift& l) {
    const int64_t axis = l.attr_i("axis", 1);
    l.node.erase("axis");
    l.set_input(2, l.constant("axis", Tensor::scalar(axis)));
    return {};
}

}  // namespace coffer::offline
