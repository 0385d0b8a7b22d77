// A plan: the steps that run the static part of a graph for one set of shapes, and where every operand lies.
// Made once per shape signature; running it allocates nothing.
#pragma once

#include <memory>
#include <vector>

#include "coffer/base/private_arena.hpp"
#include "coffer/kernels/arch.hpp"
#include "runtime/analysis.hpp"
#include "runtime/arena.hpp"
#include "runtime/weights.hpp"

namespace coffer::runtime {

class ReferenceStep;
class BranchStep;  // plan.cpp

struct Step {
    kernels::KernelFn fn = nullptr;  // nullptr: reference or branch
    const void* params = nullptr;
    uint32_t operands = 0;  // first of its pointers in Plan::operands
    uint32_t node = 0;      // in the graph, for messages and profiles
    size_t units = 0;
    float unit_ns = 0;
    const char* variant = nullptr;  // name of the kernel, "reference", "layout", ...
    ReferenceStep* reference = nullptr;
    BranchStep* branch = nullptr;
};

// A pointer the executor sets before the plan runs: a graph input or output, or a value of another stage.
struct Fixup {
    uint32_t operand;
    graph::ValueId value;
};

struct Plan {
    Plan();
    ~Plan();
    std::vector<Step> steps;
    std::vector<void*> operands;
    std::vector<Fixup> fixups;
    size_t arena_bytes = 0;
    std::shared_ptr<Arena> arena;
    PrivateArena params;          // of the steps, among them numbers of the model
    std::vector<Tensor> tensors;  // constants made by the planner: folded values, re-laid-out constants
    WeightStore weights;          // packed forms of folded values; those of the model's constants are shared
    std::vector<std::unique_ptr<graph::Node>> layout_nodes;
    std::vector<std::unique_ptr<ReferenceStep>> references;
    std::vector<std::unique_ptr<BranchStep>> branches;
    // Values whose bytes later stages or dynamic nodes need: where they are, once the plan has run.
    std::vector<std::pair<graph::ValueId, uint32_t>> exports;  // value, operand index
};

// Runs node `n` of a plan through its op's reference; operands are the node's inputs, then its outputs.
class ReferenceStep final : public ops::RunContext {
 public:
    ReferenceStep(const ops::Op& op, const graph::Node& node, std::span<const ops::Type> inputs,
                  std::span<const ops::Type> outputs, GraphRunner* graphs, Scratch* scratch);
    Status run(void* const* operands);

    Status allocate(size_t i, DType dtype, const Shape& shape) override;
    Result<std::byte*> scratch(size_t bytes) override { return scratch_->take(bytes); }
    const Value& input_value(size_t i) const override { return values_[i]; }
    Status set_output_value(size_t i, Value value) override;
    Status run_graph(uint32_t graph, std::span<const Value> inputs, std::vector<Value>* outputs) override;

 private:
    const ops::Op& op_;
    GraphRunner* graphs_;
    Scratch* scratch_;
    bool wants_values_;
    std::vector<TensorView> in_views_, out_views_;
    std::vector<Value> values_;
};

struct PlanRequest {
    const graph::Model* model = nullptr;
    uint32_t graph = 0;
    const Analysis* analysis = nullptr;   // nodes that are kStatic are planned
    std::vector<graph::ValueId> exports;  // beyond the graph's outputs
    std::vector<bool> external;           // by ValueId: its memory is set through a fixup
    WeightStore* weights = nullptr;
    GraphRunner* graphs = nullptr;
    Scratch* scratch = nullptr;
    kernels::ArchId arch = kernels::ArchId::kBaseline;
    Allocator allocator;
    uint64_t max_arena_bytes = ~uint64_t{0};
};

Status run_branch(BranchStep& step, void* const* operands);
Result<std::unique_ptr<Plan>> make_plan(const PlanRequest& request);

}  // namespace coffer::runtime
