// Runs one graph for changing shapes. The graph is cut into stages: a plan of everything whose shapes follow
// from what is known, then the nodes whose outputs depend on data (run by their references), then the next
// stage, analysed with what they gave. Most models are one stage. Stages are kept per shape signature.
#pragma once

#include <atomic>
#include <functional>
#include <list>
#include <map>
#include <memory>

#include "runtime/parallel.hpp"
#include "runtime/plan.hpp"

namespace coffer::runtime {

// Time and calls per node, filled when profiling is on.
struct Profile {
    struct Entry {
        uint64_t calls = 0, ns = 0;
        const char* variant = "";
    };
    std::map<std::pair<uint32_t, uint32_t>, Entry> entries;  // (graph, node): own time, subgraphs included
};

// What all executors of one runner share.
struct ExecutionContext {
    const graph::Model* model = nullptr;
    WeightStore* weights = nullptr;
    Parallel* parallel = nullptr;  // nullptr: the calling thread
    Parallel* loader = nullptr;    // for opening weights: never the caller's threads, which may wait for a plan too
    kernels::ArchId arch = kernels::ArchId::kBaseline;
    Allocator allocator;
    uint64_t max_memory = ~uint64_t{0};
    size_t max_plans = 8;
    bool debug_names = false;
    const std::atomic<bool>* cancel = nullptr;
    uint64_t deadline_ns = 0;  // os::monotonic_ns(); 0: none
    Profile* profile = nullptr;
};

class Executor;

// The executors of a model's graphs, made when first needed.
class Executors final : public GraphRunner {
 public:
    explicit Executors(ExecutionContext* context);
    ~Executors() override;
    Executor& of(uint32_t graph);

    Status infer_graph(uint32_t graph, std::span<const ops::Type> inputs, std::span<ops::Type> outputs) override;
    Status run_graph(uint32_t graph, std::span<const Value> inputs, std::vector<Value>* outputs) override;
    Status run_graph_into(uint32_t graph, std::span<const Value> inputs,
                          std::span<const TensorView> outputs) override;

 private:
    ExecutionContext* context_;
    std::vector<std::unique_ptr<Executor>> executors_;
};

class Executor {
 public:
    Executor(ExecutionContext* context, Executors* graphs, uint32_t graph);
    ~Executor();

    // Analyses and plans the first stage for these inputs; the types of outputs that follow from them.
    Status prepare(std::span<const ops::Type> inputs, std::vector<ops::Type>* outputs);

    // inputs: one Value per graph input (tensors may borrow their bytes). buffers: one per graph output;
    // data == nullptr leaves the memory to the executor, and the Value is in `outputs`; otherwise dtype and
    // shape say what was given and must match what comes out. Either span may be empty.
    Status run(std::span<const Value> inputs, std::span<const TensorView> buffers, std::vector<Value>* outputs);

    // Types only, nothing planned.
    Status infer(std::span<const ops::Type> inputs, std::span<ops::Type> outputs);

    // The first stage's plan for the shapes of the last run; nullptr before one.
    const Plan* last_plan() const;

 private:
    struct Stage;
    Result<Stage*> first_stage(std::span<const ops::Type> inputs);
    Result<Stage*> next_stage(Stage& stage);
    Status build(Stage& stage);
    Result<Tensor> output_memory(Stage& stage, const ops::Type& type, bool fresh);
    Status bind(Stage& stage, std::span<const TensorView> buffers, bool fresh);
    Status run_steps(Plan& plan);
    Status run_dynamic(Stage& stage);
    Status check_time() const;
    Status check_count(size_t inputs) const;
    Status collect(Stage& stage, std::span<const TensorView> buffers, std::vector<Value>* outputs);
    Error mismatch(size_t output, const ops::Type& type) const;
    Value value_of(graph::ValueId id, const Analysis& a) const;
    bool is_borrowed(graph::ValueId id, const Analysis& a) const;

    ExecutionContext* context_;
    Executors* graphs_;
    uint32_t index_;
    const graph::Graph& graph_;
    Scratch scratch_;
    std::list<std::unique_ptr<Stage>> stages_;  // most recently used first
    Stage* last_ = nullptr;
    std::vector<void*> pointers_;   // by ValueId, for the values plans ask for
    std::vector<Value> values_;     // by ValueId: inputs, results of dynamic nodes, outputs we allocate
    std::vector<ops::Type> types_;  // of the inputs of this run
    std::vector<bool> bound_;       // by output: written where the caller wants it
};

}  // namespace coffer::runtime
