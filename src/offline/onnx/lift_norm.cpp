// Normalization and what goes with it.
#include "offline/onnx/lift.hpp"

namespace coffer::offline {

using graph::kAbsent;
using graph::ValueId;

// Softmax, LogSoftmax and Hardmax of the matrix that Flatten(axis) gives, not along one axis. The two agree
// for the last axis.
Status lift_flat_axis(Lift& l) {
    const int64_t axis = l.attr_i("axis", 1);
    if (!l.has_input(0) || !l.has_output(0)) return {};
    const ValueId x = l.node.inputs[0];
    const auto& dims = l.hint(x).dims;
    const bool is_last = axis == -1 || (dims && axis == static_cast<int64_t>(dims->size()) - 1);
    if (is_last) {
        l.node.set("axis", int64_t{-1});
        return {};
    }
    const ValueId shape = l.emit("Shape", {x}, {}, "shape");
    const ValueId flat = l.emit("Flatten", {x}, {{"axis", axis}}, "flat");
    const ValueId result = l.emit(l.node.op.c_str(), {flat}, {{"axis", int64_t{-1}}}, "result");
    l.node.op = "Reshape";
    l.node.inputs = {result, shape};
    l.node.attrs = {{"allowzero", int64_t{1}}};
    return {};
}

Status lift_batch_norm_spatial(Lift& l) {
    if (l.attr_i("spatial", 1) != 1) return Lift::unsupported("spatial = 0 (statistics for every element)");
    l.node.erase("spatial");
    return {};
}

// The four outputs after the first were for training.
Status lift_batch_norm_outputs(Lift& l) {
    for (size_t i = 1; i < l.node.outputs.size(); ++i) {
        if (l.has_output(i)) return Lift::unsupported("output ", i, " exists in training only");
    }
    if (!l.node.outputs.empty()) l.node.outputs.erase(l.node.outputs.begin() + 1, l.node.outputs.end());
    return {};
}

// Scale and bias were one number a group and are one a channel now: repeat each for the channels of its group.
Status lift_group_norm(Lift& l) {
    const int64_t groups = l.attr_i("num_groups", 0);
    if (groups <= 0 || !l.has_input(0) || !l.has_input(1) || !l.has_input(2)) return {};  // Facts refuse it
    const ValueId channels =
        l.emit("Shape", {l.node.inputs[0]}, {{"start", int64_t{1}}, {"end", int64_t{2}}}, "channels");
    const ValueId count = l.ints("groups", {groups});
    const ValueId each = l.emit("Div", {channels, count}, {}, "channels_a_group");
    const ValueId shape = l.emit("Concat", {count, each}, {{"axis", int64_t{0}}}, "by_group");
    const ValueId column = l.ints("column", {groups, 1}), flat = l.ints("flat", {-1});
    for (size_t i = 1; i <= 2; ++i) {
        const char* role = i == 1 ? "scale" : "bias";
        const ValueId tall = l.emit("Reshape", {l.node.inputs[i], column}, {}, role);
        const ValueId wide = l.emit("Expand", {tall, shape}, {}, role);
        l.node.inputs[i] = l.emit("Reshape", {wide, flat}, {}, role);
    }
    return {};
}

// Inference keeps everything. The mask, when somebody wants it, is all true: that is left to the op, as is a
// training_mode that is not known to be false.
Status lift_dropout(Lift& l) {
    if (l.opset < 12) {
        l.node.erase("ratio");
        if (l.opset < 10 && l.has_output(1)) return Lift::unsupported("the mask output before opset 10");
    }
    if (l.has_output(1)) return {};
    if (l.has_input(2)) {
        const Tensor* training = l.known(l.node.inputs[2]);
        const bool off = training && training->elements() == 1 && load_int(training->view(), 0) == 0;
        if (!off) return {};
    }
    if (!l.has_input(0)) return {};
    l.node.op = "Identity";
    l.node.inputs = {l.node.inputs[0]};
    l.node.outputs = {l.node.outputs.empty() ? kAbsent : l.node.outputs[0]};
    l.node.attrs.clear();
    return {};
}

}  // namespace coffer::offline
