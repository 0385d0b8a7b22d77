// Running one node through its reference: for folding at plan time and offline, and for nodes whose shapes
// depend on data. Knows nothing of plans or layouts; all tensors are plain.
#pragma once

#include <functional>
#include <span>
#include <vector>

#include "coffer/ops/op.hpp"

namespace coffer::runtime {

// How control flow ops reach their bodies. infer: types only; run: values.
class GraphRunner {
 public:
    virtual ~GraphRunner() = default;
    virtual Status infer_graph(uint32_t graph, std::span<const ops::Type> inputs, std::span<ops::Type> outputs) = 0;
    virtual Status run_graph(uint32_t graph, std::span<const Value> inputs, std::vector<Value>* outputs) = 0;
    // The same for plain tensors, into memory of the right size.
    virtual Status run_graph_into(uint32_t graph, std::span<const Value> inputs,
                                  std::span<const TensorView> outputs) = 0;
};

// Scratch memory that grows once and is then reused.
class Scratch {
 public:
    Result<std::byte*> take(size_t bytes);
    void reset() {
        used_ = 0;
        next_block_ = 0;
    }  // everything handed out is free again

 private:
    std::vector<Tensor> blocks_;  // of bytes: out of core dumps, wiped, and within the memory limit
    size_t used_ = 0;
    size_t next_block_ = 0;
};

class Inference final : public ops::InferContext {
 public:
    Inference(const ops::Op& op, const graph::Node& node, GraphRunner* graphs)
        : InferContext(*op.facts, node), graphs_(graphs) {}
    Status infer_graph(uint32_t graph, std::span<const ops::Type> inputs, std::span<ops::Type> outputs) override;

 private:
    GraphRunner* graphs_;
};

// Infers `node` from input types and the values that are known. outputs has node.outputs.size() entries.
Status infer_node(const ops::Op& op, const graph::Node& node, std::span<const ops::Type> inputs,
                  std::span<const TensorView* const> known, GraphRunner* graphs, std::span<ops::Type> outputs);

// Whether every wanted output is known to have no elements: then there is nothing to run, however large the other
// dims.
bool is_empty(const graph::Node& node, std::span<const ops::Type> outputs);

// Infers and runs `node` on values; absent inputs are default Values. Results have node.outputs.size() entries.
Result<std::vector<Value>> evaluate_node(const ops::Op& op, const graph::Node& node, std::span<const Value> inputs,
                                         GraphRunner* graphs, Scratch& scratch);

ops::Type type_of(const Value& value);
// With memory of its own, strings too.
Result<Tensor> copy_of(const TensorView& view);

}  // namespace coffer::runtime
