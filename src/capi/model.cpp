// Models: opening and facts.
#include "capi/handles.hpp"
#include "coffer/kernels/dispatch.hpp"

using namespace coffer;
using capi::given;
using capi::guard;

namespace {

coffer_status open(coffer_model** model, container::Source source, const coffer_keyring* keyring,
                   const coffer_policy* policy, const coffer_open_options* given_options,
                   coffer_error* error) noexcept {
    return guard(error, [&]() -> Status {
        COFFER_TRY(given(model, "model"));
        *model = nullptr;
        COFFER_TRY(given(policy, "policy"));
        COFFER_TRY_ASSIGN(const coffer_open_options options,
                          capi::read_struct(given_options, coffer_open_options COFFER_OPEN_OPTIONS_INIT));
        COFFER_TRY(capi::known_flags("open", options.flags, COFFER_OPEN_LAZY | COFFER_OPEN_LOCK));
        const unsigned threads = options.threads == 0 ? os::cpu_count() : options.threads;
        std::unique_ptr<runtime::Parallel> parallel;
        if (options.parallel_for) {
            parallel =
                std::make_unique<runtime::CallerParallel>(options.parallel_for, options.parallel_user, threads);
        } else if (threads > 1) {
            parallel = std::make_unique<runtime::ThreadPool>(threads);
        }
        const trust::Keyring none;
        runtime::LoadOptions load;
        load.parallel = parallel.get();
        load.lazy = options.flags & COFFER_OPEN_LAZY;
        load.lock = options.flags & COFFER_OPEN_LOCK;
        COFFER_TRY_ASSIGN(runtime::Loaded loaded,
                          runtime::load(std::move(source), policy->policy, keyring ? keyring->keyring : none, load));
        auto opened = std::make_unique<coffer_model>();
        opened->model = std::move(loaded.model);
        opened->licence = loaded.facts.licence;
        opened->licence_in_grace = loaded.facts.licence_in_grace;
        if (opened->licence) {
            for (const std::string& feature : opened->licence->claims.features) {
                opened->features.push_back(feature.c_str());
            }
        }
        *model = opened.release();
        return {};
    });
}

}  // namespace

extern "C" {

#define COFFER_TEXT_(x) #x
#define COFFER_TEXT(x) COFFER_TEXT_(x)
const char* coffer_version(void) noexcept {
    return COFFER_TEXT(COFFER_VERSION_MAJOR) "." COFFER_TEXT(COFFER_VERSION_MINOR) "." COFFER_TEXT(
        COFFER_VERSION_PATCH);
}
#undef COFFER_TEXT
#undef COFFER_TEXT_
const char* coffer_status_name(coffer_status status) noexcept {
    return code_name(static_cast<Code>(status));
}
const char* coffer_detail_name(coffer_detail detail) noexcept {
    return detail_name(static_cast<Detail>(detail));
}
const char* coffer_arch(void) noexcept {
    return kernels::arch_name(kernels::chosen());
}

coffer_status coffer_model_open_path(coffer_model** model, const char* path, const coffer_keyring* keyring,
                                     const coffer_policy* policy, const coffer_open_options* options,
                                     coffer_error* error) noexcept {
    if (model) *model = nullptr;
    if (!path) return guard(error, [] { return given(nullptr, "path"); });
    return open(model, container::Source::file(path), keyring, policy, options, error);
}
coffer_status coffer_model_open_memory(coffer_model** model, const void* data, size_t size,
                                       const coffer_keyring* keyring, const coffer_policy* policy,
                                       const coffer_open_options* options, coffer_error* error) noexcept {
    if (model) *model = nullptr;
    if (!data) return guard(error, [] { return given(nullptr, "data"); });
    const Bytes bytes(static_cast<const std::byte*>(data), size);
    return open(model, container::Source::memory(bytes), keyring, policy, options, error);
}
coffer_status coffer_model_open_reader(coffer_model** model, const coffer_reader* reader,
                                       const coffer_keyring* keyring, const coffer_policy* policy,
                                       const coffer_open_options* options, coffer_error* error) noexcept {
    if (model) *model = nullptr;
    coffer_reader copy;
    const coffer_status taken = guard(error, [&]() -> Status {
        COFFER_TRY(given(reader, "reader"));
        COFFER_TRY_ASSIGN(copy, capi::read_struct(reader, coffer_reader COFFER_READER_INIT));
        return given(reinterpret_cast<const void*>(copy.read_at), "reader->read_at");
    });
    if (taken != COFFER_OK) return taken;
    container::ReaderCallbacks callbacks;
    callbacks.size = [copy]() -> Result<uint64_t> { return copy.size; };
    callbacks.read_at = [copy](uint64_t offset, MutableBytes dst) -> Status {
        coffer_error said{};
        const coffer_status status = copy.read_at(copy.user, offset, dst.data(), dst.size(), &said);
        if (status == COFFER_OK) return {};
        return capi::callback_error(status, said,
                                    coffer::error(Code::kIo, Detail::kIo, "the reader failed at offset ", offset,
                                                  " for ", dst.size(), " bytes"));
    };
    return open(model, container::Source::reader(std::move(callbacks)), keyring, policy, options, error);
}
void coffer_model_free(coffer_model** model) noexcept {
    if (!model) return;
    delete *model;
    *model = nullptr;
}

const char* coffer_model_name(const coffer_model* model) noexcept {
    return model ? model->model->graph().name.c_str() : "";
}
uint64_t coffer_model_version(const coffer_model* model) noexcept {
    return model ? model->model->graph().version : 0;
}
size_t coffer_model_input_count(const coffer_model* model) noexcept {
    return model ? model->model->inputs().size() : 0;
}
size_t coffer_model_output_count(const coffer_model* model) noexcept {
    return model ? model->model->outputs().size() : 0;
}

coffer_status coffer_model_input(coffer_value_info* info, const coffer_model* model, size_t index,
                                 coffer_error* error) noexcept {
    return guard(error, [&]() -> Status {
        COFFER_TRY(given(info, "info"));
        COFFER_TRY(given(model, "model"));
        const size_t count = model->model->inputs().size();
        if (index >= count) return coffer::error(Code::kInvalidArgument, "input ", index, " of ", count);
        return capi::write_struct(info, capi::describe(model->model->input(index)));
    });
}
coffer_status coffer_model_output(coffer_value_info* info, const coffer_model* model, size_t index,
                                  coffer_error* error) noexcept {
    return guard(error, [&]() -> Status {
        COFFER_TRY(given(info, "info"));
        COFFER_TRY(given(model, "model"));
        const size_t count = model->model->outputs().size();
        if (index >= count) return coffer::error(Code::kInvalidArgument, "output ", index, " of ", count);
        return capi::write_struct(info, capi::describe(model->model->output(index)));
    });
}

const char* coffer_model_metadata(const coffer_model* model, const char* key) noexcept {
    if (!model || !key) return nullptr;
    for (const auto& [name, text] : model->model->graph().metadata) {
        if (name == key) return text.c_str();
    }
    return nullptr;
}
coffer_status coffer_model_blob(const void** data, size_t* size, const coffer_model* model, const char* name,
                                coffer_error* error) noexcept {
    return guard(error, [&]() -> Status {
        COFFER_TRY(given(data, "data"));
        COFFER_TRY(given(size, "size"));
        COFFER_TRY(given(model, "model"));
        COFFER_TRY(given(name, "name"));
        for (const graph::Blob& blob : model->model->graph().blobs) {
            if (blob.name != name) continue;
            *data = blob.bytes.data();
            *size = blob.bytes.size();
            return {};
        }
        return coffer::error(Code::kNotFound, "the model has no attachment '", name, "'");
    });
}

}  // extern "C"
