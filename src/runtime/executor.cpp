#include "runtime/executor.hpp"

#include <algorithm>
#include <cstring>

namespace coffer::runtime {
namespace {

// Below this, waking a second thread costs more than it gives.
constexpr double kParallelNs = 20'000;

bool same_type(const ops::Type& a, const ops::Type& b) {
    return a.kind == b.kind && a.dtype == b.dtype && a.shape_known == b.shape_known &&
           (!a.shape_known || a.shape == b.shape);
}
bool same_types(std::span<const ops::Type> a, std::span<const ops::Type> b) {
    return std::ranges::equal(a, b, same_type);
}
bool plain(const ops::Type& t) {
    return t.kind == ValueKind::kTensor && t.dtype != DType::kString;
}

// Ops that pass a value on (Identity, sequences, optionals) keep the bytes they were shown. Bytes borrowed
// from an arena are overwritten later: what kept them gets its own.
Status own_borrowed(Value& value, std::span<const void* const> borrowed) {
    for (Value& item : value.items) COFFER_TRY(own_borrowed(item, borrowed));
    if (value.kind != ValueKind::kTensor || !value.tensor.valid() || value.tensor.dtype() == DType::kString)
        return {};
    if (std::ranges::find(borrowed, value.tensor.view().data) == borrowed.end()) return {};
    COFFER_TRY_ASSIGN(value.tensor, copy_of(value.tensor.view()));
    return {};
}

struct Split {
    const Step* step;
    void* const* operands;
    size_t chunk;
    std::atomic<bool> ok{true};
};

void run_chunk(void* context, size_t task) {
    auto& split = *static_cast<Split*>(context);
    const size_t begin = task * split.chunk;
    const size_t end = std::min(begin + split.chunk, split.step->units);
    if (!split.step->fn(split.step->params, split.operands, begin, end)) split.ok = false;
}

}  // namespace

struct Executor::Stage {
    std::vector<ops::Type> key;  // graph inputs, or the outputs of the dynamic nodes before this stage
    Analysis analysis;
    std::unique_ptr<Plan> plan;
    std::vector<uint32_t> dynamic;    // nodes to run after the plan
    std::vector<bool> external;       // by ValueId
    std::vector<size_t> written;      // graph outputs that the plan writes itself
    bool complete = false;            // nothing is left to analyse after this stage
    std::vector<Tensor> own_outputs;  // by graph output: reused when the caller gives no memory
    std::vector<std::unique_ptr<Stage>> next;
    MemoryCharge charge;  // of its analysis: a model decides how many stages follow each other
};

Executor::Executor(ExecutionContext* context, Executors* graphs, uint32_t graph)
    : context_(context), graphs_(graphs), index_(graph), graph_(context->model->graphs[graph]) {
    pointers_.resize(graph_.values.size());
    values_.resize(graph_.values.size());
    bound_.resize(graph_.outputs.size());
}
Executor::~Executor() = default;

const Plan* Executor::last_plan() const {
    return last_ ? last_->plan.get() : nullptr;
}

Status Executor::build(Stage& stage) {
    COFFER_TRY_ASSIGN(const WeightStore::Planning planning, context_->weights->begin(context_->loader));
    COFFER_TRY(analyse(*context_->model, index_, graphs_, scratch_, stage.analysis, context_->weights));
    const Analysis& a = stage.analysis;
    // What is read while the graph runs, beside what the plan reads.
    std::vector<std::pair<graph::ValueId, TensorView>> elsewhere;
    const auto keep = [&](graph::ValueId id) -> Status {
        if (id == graph::kAbsent || !a.values[id].known.valid()) return {};
        const TensorView& known = a.values[id].known.view();
        COFFER_TRY_ASSIGN(const TensorView now, context_->weights->keep(known));
        if (now.data != known.data) elsewhere.emplace_back(id, now);
        return {};
    };
    for (graph::ValueId id : graph_.outputs) COFFER_TRY(keep(id));
    const size_t count = graph_.values.size();
    std::vector<bool> here(count, false), later(count, false);
    stage.complete = true;
    for (uint32_t n = 0; n < graph_.nodes.size(); ++n) {
        const graph::Node& node = graph_.nodes[n];
        if (a.nodes[n] == NodeState::kStatic) {
            for (graph::ValueId id : node.outputs) {
                if (id != graph::kAbsent) here[id] = true;
            }
        }
        if (a.nodes[n] == NodeState::kDynamic) {
            stage.dynamic.push_back(n);
            for (graph::ValueId id : node.inputs) COFFER_TRY(keep(id));
        }
        if (a.nodes[n] == NodeState::kDynamic || a.nodes[n] == NodeState::kPending) {
            stage.complete = false;
            for (graph::ValueId id : node.inputs) {
                if (id != graph::kAbsent) later[id] = true;
            }
        }
    }
    stage.external.assign(count, true);
    for (size_t id = 0; id < count; ++id) {
        if (here[id] || a.values[id].known.valid()) stage.external[id] = false;
    }
    for (size_t i = 0; i < graph_.outputs.size(); ++i) {
        const graph::ValueId id = graph_.outputs[i];
        if (!here[id]) continue;
        // One place per value: a second output of the same value is copied.
        const auto earlier = std::find(graph_.outputs.begin(), graph_.outputs.begin() + static_cast<long>(i), id);
        if (earlier == graph_.outputs.begin() + static_cast<long>(i)) stage.written.push_back(i);
        stage.external[id] = true;
    }
    PlanRequest request;
    request.model = context_->model;
    request.graph = index_;
    request.analysis = &a;
    request.external = stage.external;
    for (graph::ValueId id = 0; id < count; ++id) {
        if (later[id] && here[id] && !stage.external[id]) request.exports.push_back(id);
    }
    request.weights = context_->weights;
    request.graphs = graphs_;
    request.scratch = &scratch_;
    request.arch = context_->arch;
    request.allocator = context_->allocator;
    request.max_arena_bytes = context_->max_memory;
    COFFER_TRY_ASSIGN(stage.plan, make_plan(request));
    // Only now: the plan asks for constants by their first addresses.
    for (const auto& [id, now] : elsewhere) stage.analysis.values[id].known = Tensor::wrap(now, nullptr);
    stage.own_outputs.resize(graph_.outputs.size());
    return {};
}

Result<Executor::Stage*> Executor::first_stage(std::span<const ops::Type> inputs) {
    for (auto it = stages_.begin(); it != stages_.end(); ++it) {
        if (!same_types((*it)->key, inputs)) continue;
        if (it != stages_.begin()) stages_.splice(stages_.begin(), stages_, it);
        return stages_.front().get();
    }
    auto stage = std::make_unique<Stage>();
    stage->key.assign(inputs.begin(), inputs.end());
    stage->analysis = begin_analysis(*context_->model, index_);
    for (size_t i = 0; i < inputs.size(); ++i) {
        ValueFacts& v = stage->analysis.values[graph_.inputs[i]];
        v.type = inputs[i];
        v.ready = true;
    }
    COFFER_TRY(build(*stage));
    if (stages_.size() >= context_->max_plans) {
        if (last_ == stages_.back().get()) last_ = nullptr;
        stages_.pop_back();
    }
    stages_.push_front(std::move(stage));
    return stages_.front().get();
}

Result<Executor::Stage*> Executor::next_stage(Stage& stage) {
    std::vector<ops::Type> key;
    for (uint32_t n : stage.dynamic) {
        for (graph::ValueId id : graph_.nodes[n].outputs) {
            if (id != graph::kAbsent) key.push_back(type_of(values_[id]));
        }
    }
    for (auto& next : stage.next) {
        if (same_types(next->key, key)) return next.get();
    }
    auto next = std::make_unique<Stage>();
    next->key = std::move(key);
    const uint64_t bytes = graph_.values.size() * sizeof(ValueFacts);
    bool charged = next->charge.take(bytes);
    if (!charged) {  // what other shapes left behind goes first
        stage.next.clear();
        charged = next->charge.take(bytes);
    }
    for (; !charged && stages_.size() > 1; charged = next->charge.take(bytes)) stages_.pop_back();
    if (!charged) {
        return error(Code::kLimit, Detail::kLimit, "graph ", index_,
                     " has too many nodes whose shapes depend on values for the memory limit of this model");
    }
    next->analysis = stage.analysis;
    Analysis& a = next->analysis;
    for (uint32_t n = 0; n < graph_.nodes.size(); ++n) {
        if (a.nodes[n] == NodeState::kStatic || a.nodes[n] == NodeState::kDynamic) a.nodes[n] = NodeState::kDone;
    }
    for (uint32_t n : stage.dynamic) {
        for (graph::ValueId id : graph_.nodes[n].outputs) {
            if (id == graph::kAbsent) continue;
            a.values[id].type = type_of(values_[id]);
            a.values[id].ready = true;
        }
    }
    COFFER_TRY(build(*next));
    if (stage.next.size() >= context_->max_plans) stage.next.erase(stage.next.begin());
    stage.next.push_back(std::move(next));
    return stage.next.back().get();
}

// Of a subgraph, whose node passes what it likes.
Status Executor::check_count(size_t inputs) const {
    if (inputs == graph_.inputs.size()) return {};
    return error(Code::kInvalidArgument, "graph ", index_, " has ", graph_.inputs.size(), " inputs, not ", inputs);
}

Status Executor::infer(std::span<const ops::Type> inputs, std::span<ops::Type> outputs) {
    COFFER_TRY(check_count(inputs.size()));
    COFFER_TRY(check_time());
    COFFER_TRY_ASSIGN(const WeightStore::Planning planning, context_->weights->begin());
    Analysis a = begin_analysis(*context_->model, index_);
    for (size_t i = 0; i < inputs.size(); ++i) {
        ValueFacts& v = a.values[graph_.inputs[i]];
        v.type = inputs[i];
        v.ready = inputs[i].kind != ValueKind::kTensor || inputs[i].shape_known;
    }
    COFFER_TRY(analyse(*context_->model, index_, graphs_, scratch_, a, context_->weights));
    for (size_t i = 0; i < outputs.size() && i < graph_.outputs.size(); ++i) {
        const ValueFacts& v = a.values[graph_.outputs[i]];
        outputs[i] = v.ready ? v.type : ops::Type{ValueKind::kTensor, DType::kUndefined, {}, false};
    }
    return {};
}

Status Executor::prepare(std::span<const ops::Type> inputs, std::vector<ops::Type>* outputs) {
    COFFER_TRY_ASSIGN(Stage * stage, first_stage(inputs));
    if (!outputs) return {};
    outputs->clear();
    for (graph::ValueId id : graph_.outputs) {
        const ValueFacts& v = stage->analysis.values[id];
        outputs->push_back(v.ready ? v.type : ops::Type{ValueKind::kTensor, DType::kUndefined, {}, false});
    }
    return {};
}

Status Executor::check_time() const {
    if (context_->cancel && context_->cancel->load(std::memory_order_relaxed)) {
        return error(Code::kCancelled, Detail::kCancelled, "the run was cancelled");
    }
    if (context_->deadline_ns != 0 && os::monotonic_ns() > context_->deadline_ns) {
        return error(Code::kDeadline, "the run did not end before its deadline");
    }
    return {};
}

Status Executor::run_steps(Plan& plan) {
    Parallel* parallel = context_->parallel;
    for (const Step& step : plan.steps) {
        COFFER_TRY(check_time());
        void* const* operands = plan.operands.data() + step.operands;
        const uint64_t start = context_->profile ? os::monotonic_ns() : 0;
        if (step.fn) {
            bool ok = true;
            if (parallel && step.units > 1 && static_cast<double>(step.units) * step.unit_ns > kParallelNs &&
                parallel->threads() > 1) {
                // Four chunks a thread even out what neighbours on the machine slow down.
                const size_t chunks = std::min<size_t>(step.units, size_t{parallel->threads()} * 4);
                Split split{&step, operands, (step.units + chunks - 1) / chunks};
                parallel->run((step.units + split.chunk - 1) / split.chunk, &run_chunk, &split);
                ok = split.ok;
            } else {
                ok = step.fn(step.params, operands, 0, step.units);
            }
            if (!ok) {
                const graph::Node& node = graph_.nodes[step.node];
                return error(Code::kInvalidArgument, node.op, context_->debug_names ? " '" + node.name + "'" : "",
                             ": an index or value in its input is out of range");
            }
        } else if (step.reference) {
            COFFER_TRY(step.reference->run(operands));
        } else {
            COFFER_TRY(run_branch(*step.branch, operands));
        }
        if (context_->profile) {
            Profile::Entry& e = context_->profile->entries[{index_, step.node}];
            ++e.calls;
            e.ns += os::monotonic_ns() - start;
            e.variant = step.variant;
        }
    }
    return {};
}

// For an output that the caller gave no buffer for: beside the arena, if there is room for one that stays.
Result<Tensor> Executor::output_memory(Stage& stage, const ops::Type& type, bool fresh) {
    if (const auto& arena = stage.plan->arena; arena && !fresh && type.dtype != DType::kString) {
        size_t bytes = 0;
        if (checked_nbytes(type.shape, type.dtype, &bytes)) {
            if (void* data = arena->take_spare(bytes)) return Tensor::wrap({data, type.dtype, type.shape}, arena);
        }
    }
    return Tensor::create(type.dtype, type.shape);
}

// Sets the pointers of the plan's external operands. `fresh` outputs are newly allocated for the caller to
// keep; otherwise memory for outputs without a buffer is kept by the stage and reused.
Status Executor::bind(Stage& stage, std::span<const TensorView> buffers, bool fresh) {
    for (size_t i : stage.written) {
        const graph::ValueId id = graph_.outputs[i];
        const ops::Type& t = stage.analysis.values[id].type;
        if (i < buffers.size() && buffers[i].data) {
            if (buffers[i].dtype != t.dtype || !(buffers[i].shape == t.shape)) return mismatch(i, t);
            pointers_[id] = buffers[i].data;
            values_[id] = {};  // of an earlier run: it may hold on to a plan's arena
            bound_[i] = true;
            continue;
        }
        Tensor& own = stage.own_outputs[i];
        if (fresh || !own.valid()) {
            COFFER_TRY_ASSIGN(own, output_memory(stage, t, fresh));
        }
        values_[id] = Value(own);
        pointers_[id] = own.view().data;
    }
    Plan& plan = *stage.plan;
    for (const Fixup& fixup : plan.fixups) plan.operands[fixup.operand] = pointers_[fixup.value];
    return {};
}

// Do the bytes of a plain value lie in a plan's arena?
bool Executor::is_borrowed(graph::ValueId id, const Analysis& a) const {
    const ValueFacts& v = a.values[id];
    if (v.known.valid() || !plain(v.type)) return false;
    return !values_[id].tensor.valid() || values_[id].tensor.view().data != pointers_[id];
}

Value Executor::value_of(graph::ValueId id, const Analysis& a) const {
    if (id == graph::kAbsent) return {};
    const ValueFacts& v = a.values[id];
    if (v.known.valid()) return Value(v.known);
    if (!is_borrowed(id, a)) return values_[id];
    return Value(Tensor::wrap({pointers_[id], v.type.dtype, v.type.shape}, nullptr));
}

Status Executor::run_dynamic(Stage& stage) {
    for (uint32_t n : stage.dynamic) {
        COFFER_TRY(check_time());
        const graph::Node& node = graph_.nodes[n];
        std::vector<Value> inputs;
        std::vector<const void*> borrowed;
        for (graph::ValueId id : node.inputs) {
            inputs.push_back(value_of(id, stage.analysis));
            if (id != graph::kAbsent && is_borrowed(id, stage.analysis)) borrowed.push_back(pointers_[id]);
        }
        for (graph::ValueId id : node.outputs) {  // of the last run: this one may need its memory
            if (id != graph::kAbsent) values_[id] = {};
        }
        const uint64_t start = context_->profile ? os::monotonic_ns() : 0;
        COFFER_TRY_ASSIGN(std::vector<Value> results,
                          evaluate_node(*ops::find(node.op), node, inputs, graphs_, scratch_));
        for (size_t i = 0; i < node.outputs.size(); ++i) {
            const graph::ValueId id = node.outputs[i];
            if (id == graph::kAbsent) continue;
            COFFER_TRY(own_borrowed(results[i], borrowed));
            values_[id] = std::move(results[i]);
            pointers_[id] = values_[id].tensor.view().data;
        }
        if (context_->profile) {
            Profile::Entry& e = context_->profile->entries[{index_, n}];
            ++e.calls;
            e.ns += os::monotonic_ns() - start;
            e.variant = "dynamic";
        }
    }
    return {};
}

Error Executor::mismatch(size_t output, const ops::Type& type) const {
    const std::string& name = graph_.values[graph_.outputs[output]].name;
    if (index_ != 0) return error(Code::kInternal, "subgraph output '", name, "' is ", type.dtype, " ", type.shape);
    return error(Code::kBufferTooSmall, "output '", name, "' is ", type.dtype, " ", type.shape,
                 "; the given buffer is for another type or shape");
}

// Outputs that no plan wrote: constants, inputs passed through, results of dynamic nodes, second copies.
Status Executor::collect(Stage& stage, std::span<const TensorView> buffers, std::vector<Value>* outputs) {
    if (outputs) outputs->resize(graph_.outputs.size());
    for (size_t i = 0; i < graph_.outputs.size(); ++i) {
        if (bound_[i]) continue;
        const graph::ValueId id = graph_.outputs[i];
        Value value = value_of(id, stage.analysis);
        if (i < buffers.size() && buffers[i].data) {
            const ops::Type t = type_of(value);
            if (!plain(t) || buffers[i].dtype != t.dtype || !(buffers[i].shape == t.shape)) return mismatch(i, t);
            std::memmove(buffers[i].data, value.tensor.view().data, value.tensor.nbytes());
            continue;
        }
        if (!outputs) continue;
        // Control flow keeps what a body gives; a caller of the main graph has until the next run.
        if (index_ != 0 && is_borrowed(id, stage.analysis)) {
            COFFER_TRY_ASSIGN(value.tensor, copy_of(value.tensor.view()));
        }
        (*outputs)[i] = std::move(value);
    }
    return {};
}

Status Executor::run(std::span<const Value> inputs, std::span<const TensorView> buffers,
                     std::vector<Value>* outputs) {
    COFFER_TRY(check_count(inputs.size()));
    COFFER_TRY(check_time());  // a graph may have no steps that would
    // What a subgraph captures may hold on to the arena of another plan.
    struct Captures {
        Executor& executor;
        ~Captures() {
            if (executor.index_ == 0) return;
            for (graph::ValueId id : executor.graph_.inputs) executor.values_[id] = {};
        }
    } const captures{*this};
    types_.resize(inputs.size());
    for (size_t i = 0; i < inputs.size(); ++i) {
        types_[i] = type_of(inputs[i]);
        const graph::ValueId id = graph_.inputs[i];
        values_[id] = inputs[i];
        pointers_[id] = inputs[i].tensor.view().data;
    }
    bound_.assign(bound_.size(), false);
    COFFER_TRY_ASSIGN(Stage * stage, first_stage(types_));
    last_ = stage;
    while (true) {
        COFFER_TRY(bind(*stage, buffers, outputs != nullptr && index_ != 0));
        COFFER_TRY(run_steps(*stage->plan));
        for (const auto& [id, operand] : stage->plan->exports) pointers_[id] = stage->plan->operands[operand];
        if (stage->complete) break;
        if (stage->dynamic.empty()) {
            return error(Code::kInvalidArgument, "graph ", index_, " has nodes that never become ready");
        }
        COFFER_TRY(run_dynamic(*stage));
        COFFER_TRY_ASSIGN(stage, next_stage(*stage));
    }
    return collect(*stage, buffers, outputs);
}

Executors::Executors(ExecutionContext* context) : context_(context), executors_(context->model->graphs.size()) {}
Executors::~Executors() = default;

Executor& Executors::of(uint32_t graph) {
    auto& executor = executors_[graph];
    if (!executor) executor = std::make_unique<Executor>(context_, this, graph);
    return *executor;
}

Status Executors::infer_graph(uint32_t graph, std::span<const ops::Type> inputs, std::span<ops::Type> outputs) {
    return of(graph).infer(inputs, outputs);
}
Status Executors::run_graph(uint32_t graph, std::span<const Value> inputs, std::vector<Value>* outputs) {
    return of(graph).run(inputs, {}, outputs);
}
Status Executors::run_graph_into(uint32_t graph, std::span<const Value> inputs, std::span<const TensorView> outputs) {
    return of(graph).run(inputs, outputs, nullptr);
}

}  // namespace coffer::runtime
