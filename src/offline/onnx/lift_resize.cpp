// Resampling. Before opset 11 there was one way to place the samples: asymmetric, rounding down.
#include "offline/onnx/lift.hpp"

namespace coffer::offline {
namespace {

void set_old_sampling(Lift& l) {
    l.node.op = "Resize";
    l.node.set("coordinate_transformation_mode", std::string("asymmetric"));
    l.node.set("nearest_mode", std::string("floor"));
}

}  // namespace

// Upsample: scales were an attribute in opset 7 and input 1 in opset 9.
Status lift_upsample(Lift& l) {
    if (l.opset >= 10) return Lift::unsupported("Upsample does not exist any more in opset ", l.opset);
    const auto scales = l.take_floats("scales");
    if (!scales && !l.has_input(1)) return error(Code::kFormat, Detail::kFormat, "has no scales");
    const graph::ValueId id = scales ? l.constant("scales", Tensor::of<float>(*scales)) : l.node.inputs[1];
    l.set_input(1, graph::kAbsent);
    l.set_input(2, id);
    set_old_sampling(l);
    return {};
}

Status lift_resize_scales(Lift& l) {
    if (!l.has_input(1)) return error(Code::kFormat, Detail::kFormat, "has no scales");
    const graph::ValueId scales = l.node.inputs[1];
    l.set_input(1, graph::kAbsent);
    l.set_input(2, scales);
    set_old_sampling(l);
    return {};
}

// Empty tensors stand for roi, scales or sizes left out.
Status lift_resize_empty(Lift& l) {
    for (size_t i = 1; i < l.node.inputs.size(); ++i) {
        const Tensor* tensor = l.has_input(i) ? l.known(l.node.inputs[i]) : nullptr;
        if (tensor && tensor->elements() == 0) l.node.inputs[i] = graph::kAbsent;
    }
    return {};
}

Status lift_grid_sample(Lift& l) {
    const std::string mode = l.attr_s("mode", "bilinear");
    if (mode == "bilinear") l.node.set("mode", std::string("linear"));
    if (mode == "bicubic") l.node.set("mode", std::string("cubic"));
    return {};
}

Status lift_roi_align(Lift& l) {
    l.node.set("coordinate_transformation_mode", std::string("output_half_pixel"));
    return {};
}

}  // namespace coffer::offline
