// Runners.
#include <algorithm>

#include "capi/handles.hpp"

using namespace coffer;
using capi::given;
using capi::guard;

namespace {

constexpr std::string_view kInput = "input", kOutput = "output";

Status bind_inputs(coffer_runner& r, const coffer_binding* inputs, size_t count) {
    runtime::Runner& runner = *r.runner;
    const runtime::Model& model = runner.model();
    if (count > 0) COFFER_TRY(given(inputs, "inputs"));
    runner.unbind();
    for (size_t i = 0; i < count; ++i) {
        COFFER_TRY(given(inputs[i].name, "inputs[].name"));
        const size_t at = model.find_input(inputs[i].name);
        if (at == runtime::Model::kNotFound) {
            return error(Code::kNotFound, "the model has no input '", inputs[i].name, "'");
        }
        if (runner.is_bound(at)) return error(Code::kInvalidArgument, "input '", inputs[i].name, "' is given twice");
        COFFER_TRY_ASSIGN(Value value, capi::import_value(inputs[i].value, model.input(at), kInput, r.staging[at]));
        COFFER_TRY(runner.bind_input(at, std::move(value)));
    }
    return {};
}

Status bind_outputs(coffer_runner& r, const coffer_binding* outputs, size_t count) {
    runtime::Runner& runner = *r.runner;
    const runtime::Model& model = runner.model();
    if (count > 0) COFFER_TRY(given(outputs, "outputs"));
    for (size_t i = 0; i < count; ++i) {
        COFFER_TRY(given(outputs[i].name, "outputs[].name"));
        const size_t at = model.find_output(outputs[i].name);
        if (at == runtime::Model::kNotFound) {
            return error(Code::kNotFound, "the model has no ", kOutput, " '", outputs[i].name, "'");
        }
        COFFER_TRY_ASSIGN(const TensorView buffer, capi::import_buffer(outputs[i].value, model.output(at)));
        runner.bind_output(at, buffer);
    }
    return {};
}

}  // namespace

extern "C" {

coffer_status coffer_runner_new(coffer_runner** runner, const coffer_model* model,
                                const coffer_runner_options* given_options, coffer_error* error) noexcept {
    return guard(error, [&]() -> Status {
        COFFER_TRY(given(runner, "runner"));
        *runner = nullptr;
        COFFER_TRY(given(model, "model"));
        COFFER_TRY_ASSIGN(const coffer_runner_options options,
                          capi::read_struct(given_options, coffer_runner_options COFFER_RUNNER_OPTIONS_INIT));
        runtime::RunnerOptions own;
        COFFER_TRY(capi::known_flags("runner", options.flags, COFFER_RUNNER_PROFILE));
        own.threads = options.threads;
        own.profile = options.flags & COFFER_RUNNER_PROFILE;
        own.parallel_for = options.parallel_for;
        own.parallel_user = options.parallel_user;
        if (options.allocator) {
            COFFER_TRY_ASSIGN(const coffer_allocator allocator,
                              capi::read_struct(options.allocator, coffer_allocator COFFER_ALLOCATOR_INIT));
            COFFER_TRY(given(reinterpret_cast<const void*>(allocator.allocate), "allocator->allocate"));
            COFFER_TRY(given(reinterpret_cast<const void*>(allocator.release), "allocator->release"));
            own.allocator = {allocator.allocate, allocator.release, allocator.user};
        }
        auto made = std::make_unique<coffer_runner>();
        COFFER_TRY_ASSIGN(made->runner, runtime::Runner::create(model->model, own));
        made->staging.resize(model->model->inputs().size());
        *runner = made.release();
        return {};
    });
}
void coffer_runner_free(coffer_runner** runner) noexcept {
    if (!runner) return;
    delete *runner;
    *runner = nullptr;
}

coffer_status coffer_runner_run(coffer_runner* runner, const coffer_binding* inputs, size_t input_count,
                                const coffer_binding* outputs, size_t output_count,
                                const coffer_run_options* given_options, coffer_error* error) noexcept {
    return guard(error, [&]() -> Status {
        COFFER_TRY(given(runner, "runner"));
        COFFER_TRY_ASSIGN(const coffer_run_options options,
                          capi::read_struct(given_options, coffer_run_options COFFER_RUN_OPTIONS_INIT));
        runner->ran = false;
        runner->shown.clear();
        COFFER_TRY(bind_inputs(*runner, inputs, input_count));
        COFFER_TRY(bind_outputs(*runner, outputs, output_count));
        COFFER_TRY(runner->runner->run(options.deadline_ns));
        runner->ran = true;
        return {};
    });
}

coffer_status coffer_runner_prepare(coffer_runner* runner, const coffer_binding* inputs, size_t input_count,
                                    const coffer_prepare_options* given_options, coffer_error* error) noexcept {
    return guard(error, [&]() -> Status {
        COFFER_TRY(given(runner, "runner"));
        COFFER_TRY_ASSIGN(const coffer_prepare_options options,
                          capi::read_struct(given_options, coffer_prepare_options COFFER_PREPARE_OPTIONS_INIT));
        COFFER_TRY(capi::known_flags("prepare", options.flags | options.reserved, 0));
        runner->ran = false;
        runner->shown.clear();
        COFFER_TRY(bind_inputs(*runner, inputs, input_count));
        return runner->runner->prepare();
    });
}

coffer_status coffer_runner_output(coffer_value* value, const coffer_runner* runner, size_t index,
                                   coffer_error* error) noexcept {
    return guard(error, [&]() -> Status {
        COFFER_TRY(given(value, "value"));
        COFFER_TRY(given(runner, "runner"));
        const size_t count = runner->runner->model().outputs().size();
        if (index >= count) return coffer::error(Code::kInvalidArgument, "output ", index, " of ", count);
        if (runner->ran) {
            auto& shown = const_cast<coffer_runner*>(runner)->shown;
            *value = shown.show(runner->runner->output(index));
            return {};
        }
        const ops::Type& type = runner->runner->output_type(index);
        *value = {};
        value->kind = static_cast<coffer_kind>(type.kind);
        value->dtype = static_cast<coffer_dtype>(type.dtype);
        value->rank = type.shape_known && type.dtype != DType::kUndefined ? type.shape.rank() : -1;
        for (int i = 0; i < value->rank; ++i) value->dims[i] = type.shape[i];
        (void)checked_nbytes(type.shape, type.dtype, &value->size);
        return {};
    });
}

coffer_status coffer_runner_reset(coffer_runner* runner, coffer_error* error) noexcept {
    return guard(error, [&]() -> Status {
        COFFER_TRY(given(runner, "runner"));
        return runner->runner->reset();
    });
}
void coffer_runner_cancel(coffer_runner* runner) noexcept {
    if (runner) runner->runner->cancel();
}

coffer_status coffer_runner_profile(coffer_profile_entry* entry, coffer_runner* runner, size_t index,
                                    coffer_error* error) noexcept {
    return guard(error, [&]() -> Status {
        COFFER_TRY(given(entry, "entry"));
        COFFER_TRY(given(runner, "runner"));
        const auto& entries = runner->runner->profile().entries;
        if (index == 0) runner->profile.assign(entries.begin(), entries.end());
        if (index >= runner->profile.size()) {
            return coffer::error(Code::kNotFound, "profile entry ", index, " of ", runner->profile.size());
        }
        const auto& [key, times] = runner->profile[index];
        const runtime::Model& model = runner->runner->model();
        const graph::Node& node = model.graph().graphs[key.first].nodes[key.second];
        const char* name = model.options().debug_names ? node.name.c_str() : "";
        return capi::write_struct(entry,
                                  {sizeof *entry, node.op.c_str(), name, times.variant, times.calls, times.ns});
    });
}

}  // extern "C"
