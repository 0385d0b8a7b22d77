#include "runtime/evaluate.hpp"

#include <utility>

#include "coffer/ops/family/move_elements.hpp"

namespace coffer::runtime {
namespace {

constexpr size_t kBlock = size_t{64} << 10;

// A reference run whose outputs are fresh tensors.
class Evaluation final : public ops::RunContext {
 public:
    Evaluation(const ops::Op& op, const graph::Node& node, std::span<const Value> inputs, GraphRunner* graphs,
               Scratch& scratch)
        : RunContext(*op.facts, node), values_(inputs), graphs_(graphs), scratch_(scratch) {
        views_.reserve(inputs.size());
        for (const Value& v : inputs) views_.push_back(v.kind == ValueKind::kTensor ? v.tensor.view() : TensorView{});
        results_.resize(node.outputs.size());
        result_views_.resize(node.outputs.size());
        inputs_ = views_;
        outputs_ = result_views_;
    }

    Status allocate(size_t i, DType dtype, const Shape& shape) override {
        COFFER_TRY_ASSIGN(Tensor tensor, Tensor::create(dtype, shape));
        return set_output_value(i, Value(std::move(tensor)));
    }
    Result<std::byte*> scratch(size_t bytes) override { return scratch_.take(bytes); }
    const Value& input_value(size_t i) const override { return values_[i]; }
    Status set_output_value(size_t i, Value value) override {
        if (!has_output(i)) return {};
        if (value.kind == ValueKind::kTensor) result_views_[i] = value.tensor.view();
        results_[i] = std::move(value);
        return {};
    }
    Status run_graph(uint32_t graph, std::span<const Value> inputs, std::vector<Value>* outputs) override {
        if (!graphs_) return unsupported("control flow is not possible here");
        return graphs_->run_graph(graph, inputs, outputs);
    }
    std::vector<Value> take() { return std::move(results_); }

 private:
    std::span<const Value> values_;
    GraphRunner* graphs_;
    Scratch& scratch_;
    std::vector<TensorView> views_;
    std::vector<Value> results_;
    std::vector<TensorView> result_views_;
};

}  // namespace

Result<std::byte*> Scratch::take(size_t bytes) {
    const size_t need = bytes + 64;
    if (need < bytes) return error(Code::kLimit, Detail::kLimit, "scratch of ", bytes, " bytes is too large");
    while (next_block_ < blocks_.size() && blocks_[next_block_].nbytes() - used_ < need) {
        ++next_block_;
        used_ = 0;
    }
    if (next_block_ == blocks_.size()) {
        if (!std::in_range<int64_t>(need)) {
            return error(Code::kLimit, Detail::kLimit, "scratch of ", bytes, " bytes is too large");
        }
        const Shape shape{static_cast<int64_t>(std::max(need, kBlock))};
        COFFER_TRY_ASSIGN(Tensor block, Tensor::create(DType::kUint8, shape));
        blocks_.push_back(std::move(block));
        used_ = 0;
    }
    std::byte* const base = blocks_[next_block_].view().as<std::byte>() + used_;
    const size_t skip = (64 - reinterpret_cast<uintptr_t>(base) % 64) % 64;
    std::byte* p = base + skip;
    used_ += skip + bytes;
    return p;
}

Status Inference::infer_graph(uint32_t graph, std::span<const ops::Type> inputs, std::span<ops::Type> outputs) {
    if (!graphs_) {
        for (ops::Type& t : outputs) t = {ValueKind::kTensor, DType::kUndefined, {}, false};
        return {};
    }
    return graphs_->infer_graph(graph, inputs, outputs);
}

Status infer_node(const ops::Op& op, const graph::Node& node, std::span<const ops::Type> inputs,
                  std::span<const TensorView* const> known, GraphRunner* graphs, std::span<ops::Type> outputs) {
    Inference c(op, node, graphs);
    c.inputs_ = inputs;
    c.known_ = known;
    c.outputs_ = outputs;
    for (size_t i = 0; i < inputs.size() && !op.facts->any_kind; ++i) {
        if (c.has_input(i) && inputs[i].kind != ValueKind::kTensor) return c.fail("input ", i, " is not a tensor");
    }
    COFFER_TRY(op.infer(c));
    for (size_t i = 0; i < outputs.size(); ++i) {
        const ops::Type& t = outputs[i];
        size_t bytes = 0;
        if (!c.has_output(i) || t.kind != ValueKind::kTensor || !t.shape_known) continue;
        if (!checked_nbytes(t.shape, t.dtype, &bytes)) {
            return c.fail("output ", i, " of type ", t.dtype, " and shape ", t.shape, " is not possible");
        }
    }
    return {};
}

bool is_empty(const graph::Node& node, std::span<const ops::Type> outputs) {
    for (size_t i = 0; i < outputs.size(); ++i) {
        const ops::Type& t = outputs[i];
        if (node.outputs[i] == graph::kAbsent) continue;
        if (t.kind != ValueKind::kTensor || !t.shape_known || t.shape.elements() != 0) return false;
    }
    return true;
}

ops::Type type_of(const Value& value) {
    if (value.kind != ValueKind::kTensor) return {value.kind, value.dtype, {}, false};
    return {ValueKind::kTensor, value.tensor.dtype(), value.tensor.shape(), true};
}

Result<Tensor> copy_of(const TensorView& view) {
    COFFER_TRY_ASSIGN(Tensor copy, Tensor::create(view.dtype, view.shape));
    ops::copy_elements(copy.view(), 0, 1, view, 0, 1, view.elements());
    return copy;
}

Result<std::vector<Value>> evaluate_node(const ops::Op& op, const graph::Node& node, std::span<const Value> inputs,
                                         GraphRunner* graphs, Scratch& scratch) {
    std::vector<ops::Type> in_types, out_types(node.outputs.size());
    std::vector<const TensorView*> known;
    for (const Value& v : inputs) {
        in_types.push_back(type_of(v));
        known.push_back(v.kind == ValueKind::kTensor && v.tensor.valid() ? &v.tensor.view() : nullptr);
    }
    COFFER_TRY(infer_node(op, node, in_types, known, graphs, out_types));
    Evaluation run(op, node, inputs, graphs, scratch);
    for (size_t i = 0; i < out_types.size(); ++i) {
        const ops::Type& t = out_types[i];
        if (run.has_output(i) && t.kind == ValueKind::kTensor && t.shape_known) {
            COFFER_TRY(run.allocate(i, t.dtype, t.shape));
        }
    }
    scratch.reset();
    if (!is_empty(node, out_types)) COFFER_TRY(op.reference(run));
    return run.take();
}

}  // namespace coffer::runtime
