// Runs a model for one thread at a time: bound inputs and outputs, plans, activations, state.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>

#include "coffer/base/private_memory.hpp"
#include "runtime/executor.hpp"
#include "runtime/model.hpp"

namespace coffer::runtime {

struct RunnerOptions {
    unsigned threads = 0;                             // 0: all CPUs of this process
    CallerParallel::Function parallel_for = nullptr;  // instead of own threads
    void* parallel_user = nullptr;
    bool profile = false;
    Allocator allocator;  // for activations
};

class Runner {
 public:
    static Result<std::unique_ptr<Runner>> create(std::shared_ptr<const Model> model,
                                                  const RunnerOptions& options = {});
    Runner(const Runner&) = delete;
    Runner& operator=(const Runner&) = delete;

    const Model& model() const { return *model_; }

    // `i` counts Model::inputs(). The Value may borrow its bytes until the run returns. Refused when its type,
    // rank or a fixed dim is not the declared one.
    Status bind_input(size_t i, Value value);
    bool is_bound(size_t i) const { return given_[model_->inputs()[i]]; }
    // Dense memory of the type and shape that will come out; data == nullptr leaves it to the runner.
    void bind_output(size_t i, const TensorView& buffer) { buffers_[model_->outputs()[i]] = buffer; }
    // Forgets all bound inputs and outputs.
    void unbind();

    // Plans for the bound inputs (their bytes are not read).
    Status prepare();
    Status run(uint64_t deadline_ns = 0);  // at most this long; 0: no limit

    // Of the last run: its value, also when it was written to a bound buffer.
    const Value& output(size_t i) const { return outputs_[model_->outputs()[i]]; }
    // After prepare() or a failed run: what output `i` will be; shape_known is false where data decides.
    const ops::Type& output_type(size_t i) const { return output_types_[model_->outputs()[i]]; }

    Status reset();
    void cancel() { cancel_.store(true, std::memory_order_relaxed); }

    const Profile& profile() const { return profile_; }
    void clear_profile() { profile_.entries.clear(); }
    const Plan* plan() { return executors_->of(0).last_plan(); }

 private:
    explicit Runner(std::shared_ptr<const Model> model);
    Status bind_states();
    Status check_bound() const;

    struct State {
        Tensor current, spare;
    };

    std::shared_ptr<const Model> model_;
    std::shared_ptr<MemoryBudget> budget_;  // of tensors, strings and plans
    std::unique_ptr<Parallel> parallel_;
    ExecutionContext context_;
    std::unique_ptr<Executors> executors_;
    std::vector<Value> inputs_;  // by main().inputs
    std::vector<bool> given_;
    std::vector<TensorView> buffers_;  // by main().outputs
    std::vector<Value> outputs_;
    std::vector<ops::Type> output_types_, input_types_;
    std::vector<State> states_;
    std::atomic<bool> cancel_{false};
    Profile profile_;
};

}  // namespace coffer::runtime
