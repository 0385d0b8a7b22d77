// From the opset of the file to the newest form of each op. One small function an op (lift_*.cpp), one table
// (lift.cpp). A lift may need nodes around the op; it never needs to know shapes.
#pragma once

#include <optional>
#include <vector>

#include "offline/onnx/graph_builder.hpp"

namespace coffer::offline {

// What a lift function sees and changes: `node` as the file has it becomes the newest form; nodes that go
// before it are emitted. Values made here are named after the node's first output.
class Lift {
 public:
    Lift(GraphBuilder& builder, graph::Node node, int64_t file_opset, std::vector<graph::Node>& nodes);

    graph::Node node;
    const int64_t opset;

    bool has_input(size_t i) const { return i < node.inputs.size() && node.inputs[i] != graph::kAbsent; }
    bool has_output(size_t i) const { return i < node.outputs.size() && node.outputs[i] != graph::kAbsent; }
    void set_input(size_t i, graph::ValueId id);

    // The attribute, or the default when it is missing or of another type (Facts refuse that later).
    int64_t attr_i(std::string_view name, int64_t fallback) const;
    float attr_f(std::string_view name, float fallback) const;
    std::string attr_s(std::string_view name, const char* fallback) const;
    // Takes a list attribute away; nullopt when it is missing.
    std::optional<PrivateVector<int64_t>> take_ints(std::string_view name);
    std::optional<PrivateVector<float>> take_floats(std::string_view name);

    graph::ValueId constant(const char* role, Tensor tensor);
    graph::ValueId ints(const char* role, const PrivateVector<int64_t>& values);
    // A scalar of the element type of `like`: a constant where that type is known, else a CastLike.
    graph::ValueId scalar_like(const char* role, float value, graph::ValueId like);
    const Tensor* known(graph::ValueId id) const { return builder_.constant(id); }
    const graph::Type& hint(graph::ValueId id) const { return builder_.hint(id); }
    // Adds op(inputs) before the node; its result.
    graph::ValueId emit(const char* op, std::vector<graph::ValueId> inputs, std::vector<graph::Attr> attrs,
                        const char* role);

    // Moves a list attribute to input `i`.
    void ints_to_input(std::string_view name, size_t i);

    template <class... Parts>
    static Error unsupported(const Parts&... parts) {
        return error(Code::kUnsupported, Detail::kUnsupported, parts...);
    }

 private:
    GraphBuilder& builder_;
    std::vector<graph::Node>& nodes_;
    std::string base_;
};

using LiftFunction = Status (*)(Lift&);

// The nodes that replace `node`, in order; `node` itself when its form did not change.
Result<std::vector<graph::Node>> lift(GraphBuilder& builder, graph::Node node, int64_t opset);

// lift_axes.cpp: attributes that became inputs
Status lift_axes(Lift&);
Status lift_slice(Lift&);
Status lift_pad(Lift&);
Status lift_clip(Lift&);
Status lift_split_sizes(Lift&);
Status lift_split_equal(Lift&);
Status lift_topk(Lift&);
Status lift_dft(Lift&);
// lift_resize.cpp
Status lift_upsample(Lift&);
Status lift_resize_scales(Lift&);
Status lift_resize_empty(Lift&);
Status lift_grid_sample(Lift&);
Status lift_roi_align(Lift&);
// lift_norm.cpp
Status lift_flat_axis(Lift&);  // Softmax, LogSoftmax, Hardmax
Status lift_batch_norm_spatial(Lift&);
Status lift_batch_norm_outputs(Lift&);
Status lift_group_norm(Lift&);
Status lift_dropout(Lift&);
// lift_misc.cpp
Status lift_scatter(Lift&);
Status lift_scan(Lift&);
Status lift_label_encoder(Lift&);

}  // namespace coffer::offline
