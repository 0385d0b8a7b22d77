#include "runtime/runner.hpp"

#include "coffer/kernels/dispatch.hpp"

namespace coffer::runtime {
namespace {

std::string declared(const graph::Type& type) {
    if (!type.dims) return "any shape";
    std::string text = "(";
    for (size_t i = 0; i < type.dims->size(); ++i) {
        const graph::Dim& d = (*type.dims)[i];
        if (i > 0) text += ", ";
        text += d.known() ? std::to_string(d.value) : d.symbol.empty() ? "?" : d.symbol;
    }
    return text + ")";
}

Status check(const graph::ValueInfo& info, const Value& value) {
    const auto what = [&] { return message({"input '", info.name, "'"}); };
    if (value.kind != info.type.kind)
        return error(Code::kInvalidArgument, what(), " is of another kind (tensor, sequence, optional)");
    if (value.kind != ValueKind::kTensor) return {};
    const Tensor& t = value.tensor;
    if (!t.valid()) return error(Code::kInvalidArgument, what(), " is not given");
    if (info.type.dtype != DType::kUndefined && t.dtype() != info.type.dtype) {
        return error(Code::kInvalidArgument, what(), " is ", t.dtype(), ", the model takes ", info.type.dtype);
    }
    if (!info.type.dims) return {};
    bool fits = static_cast<size_t>(t.shape().rank()) == info.type.dims->size();
    for (int i = 0; fits && i < t.shape().rank(); ++i) {
        const graph::Dim& d = (*info.type.dims)[static_cast<size_t>(i)];
        fits = !d.known() || d.value == t.shape()[i];
    }
    if (fits) return {};
    return error(Code::kInvalidArgument, what(), " has shape ", t.shape(), ", the model takes ", declared(info.type));
}

}  // namespace

Runner::Runner(std::shared_ptr<const Model> model)
    : model_(std::move(model)), budget_(std::make_shared<MemoryBudget>(model_->options().max_memory)) {
    const graph::Graph& g = model_->main();
    inputs_.resize(g.inputs.size());
    given_.resize(g.inputs.size());
    buffers_.resize(g.outputs.size());
    outputs_.resize(g.outputs.size());
    output_types_.resize(g.outputs.size());
    states_.resize(model_->states().size());
}

Result<std::unique_ptr<Runner>> Runner::create(std::shared_ptr<const Model> model, const RunnerOptions& options) {
    auto runner = std::unique_ptr<Runner>(new Runner(std::move(model)));
    const unsigned threads = options.threads == 0 ? os::cpu_count() : options.threads;
    if (options.parallel_for) {
        runner->parallel_ = std::make_unique<CallerParallel>(options.parallel_for, options.parallel_user, threads);
    } else if (threads > 1) {
        runner->parallel_ = std::make_unique<ThreadPool>(threads);
    }
    ExecutionContext& c = runner->context_;
    c.model = &runner->model_->graph();
    c.weights = &runner->model_->weights();
    c.parallel = runner->parallel_.get();
    c.loader = options.parallel_for ? nullptr : c.parallel;
    c.arch = kernels::chosen();
    c.max_memory = runner->model_->options().max_memory;
    c.debug_names = runner->model_->options().debug_names;
    c.allocator = options.allocator;
    c.profile = options.profile ? &runner->profile_ : nullptr;
    runner->executors_ = std::make_unique<Executors>(&c);
    COFFER_TRY(runner->reset());
    return runner;
}

Status Runner::bind_input(size_t i, Value value) {
    COFFER_TRY(check(model_->input(i), value));
    const uint32_t at = model_->inputs()[i];
    inputs_[at] = std::move(value);
    given_[at] = true;
    return {};
}

void Runner::unbind() {
    given_.assign(given_.size(), false);
    for (TensorView& b : buffers_) b = {};
}

Status Runner::check_bound() const {
    const graph::Graph& g = model_->main();
    for (uint32_t at : model_->inputs()) {
        if (!given_[at])
            return error(Code::kInvalidArgument, "input '", g.values[g.inputs[at]].name, "' is not given");
    }
    return {};
}

Status Runner::reset() {
    const BudgetScope scope(budget_);
    for (size_t k = 0; k < states_.size(); ++k) {
        COFFER_TRY_ASSIGN(states_[k].current, copy_of(model_->states()[k].initial.view()));
        states_[k].spare = {};
    }
    return {};
}

Status Runner::prepare() {
    const BudgetScope scope(budget_);
    COFFER_TRY(check_bound());
    for (size_t k = 0; k < states_.size(); ++k) inputs_[model_->states()[k].input] = Value(states_[k].current);
    input_types_.clear();
    for (const Value& v : inputs_) input_types_.push_back(type_of(v));
    return executors_->of(0).prepare(input_types_, &output_types_);
}

// State goes to spare memory and takes the place of the current one after a run that succeeded.
Status Runner::bind_states() {
    if (states_.empty()) return {};
    COFFER_TRY(prepare());
    for (size_t k = 0; k < states_.size(); ++k) {
        const uint32_t at = model_->states()[k].output;
        const ops::Type& t = output_types_[at];
        buffers_[at] = {};
        if (!t.shape_known || t.kind != ValueKind::kTensor || t.dtype == DType::kString) continue;
        Tensor& spare = states_[k].spare;
        if (!spare.valid() || spare.dtype() != t.dtype || !(spare.shape() == t.shape)) {
            COFFER_TRY_ASSIGN(spare, Tensor::create(t.dtype, t.shape));
        }
        buffers_[at] = spare.view();
    }
    return {};
}

Status Runner::run(uint64_t deadline_ns) {
    const BudgetScope scope(budget_);
    // A deadline and a cancellation are for this run alone, however it ends.
    struct Limits {
        Runner& runner;
        ~Limits() {
            runner.context_.deadline_ns = 0;
            runner.context_.cancel = nullptr;
            runner.cancel_.store(false, std::memory_order_relaxed);
        }
    } const limits{*this};
    context_.deadline_ns = deadline_ns == 0 ? 0 : os::monotonic_ns() + deadline_ns;
    context_.cancel = &cancel_;
    COFFER_TRY(check_bound());
    COFFER_TRY(bind_states());
    Status status = executors_->of(0).run(inputs_, buffers_, &outputs_);
    // Weights that another runner could not open were wiped, maybe in the middle of this run.
    if (status.ok()) status = model_->weights().failure();
    if (!status.ok()) {
        // Tell the shapes that follow from the inputs, so that a too small buffer can be replaced.
        if (status.error().code() == Code::kBufferTooSmall) (void)prepare();
        return status;
    }
    for (size_t i = 0; i < outputs_.size(); ++i) {
        if (buffers_[i].data) outputs_[i] = Value(Tensor::wrap(buffers_[i], nullptr));
        output_types_[i] = type_of(outputs_[i]);
    }
    for (size_t k = 0; k < states_.size(); ++k) {
        const uint32_t at = model_->states()[k].output;
        if (buffers_[at].data) continue;  // written to spare memory already
        // Its memory belongs to the executor, which writes there again.
        COFFER_TRY_ASSIGN(states_[k].spare, copy_of(outputs_[at].tensor.view()));
    }
    for (State& state : states_) std::swap(state.current, state.spare);
    return {};
}

}  // namespace coffer::runtime
