#include "runtime/load.hpp"

#include "coffer/ops/op.hpp"

namespace coffer::runtime {
namespace {

Status check_op(std::string_view name, uint16_t version) {
    const ops::Op* op = ops::find(name);
    if (!op) return error(Code::kUnsupported, Detail::kUnsupported, "op '", name, "' is not in this build");
    if (version > op->facts->since) {
        return error(Code::kUnsupported, Detail::kUnsupported, "op '", name, "' has version ", version,
                     ", this build knows ", op->facts->since);
    }
    return {};
}

void parallel_for(void* context, size_t count, void (*task)(void*, size_t), void* argument) {
    static_cast<Parallel*>(context)->run(count, task, argument);
}

}  // namespace

Result<Loaded> load(container::Source source, const trust::Policy& policy, const trust::Keyring& keyring,
                    const LoadOptions& options) {
    container::OpenOptions open_options;
    open_options.check_op = &check_op;
    open_options.digests = options.digests;
    open_options.lazy = options.lazy;
    open_options.leave_stored = true;
    if (options.lock) open_options.page_flags |= os::Pages::kLock;
    if (options.parallel) open_options.parallel = {options.parallel, &parallel_for};
    COFFER_TRY_ASSIGN(container::Opened opened, container::open(std::move(source), policy, keyring, open_options));
    if (options.lock && !opened.locked) {
        return error(Code::kLimit, Detail::kLimit, "cannot lock ", opened.facts.header.payload_len,
                     " bytes of weights in memory (the limit is RLIMIT_MEMLOCK)");
    }
    Loaded loaded;
    loaded.facts = opened.facts;
    loaded.slot_kind = opened.slot_kind;
    loaded.manifest_sha256 = opened.manifest_sha256;
    loaded.payload_sha256 = opened.payload_sha256;
    ModelOptions model_options;
    model_options.max_memory = policy.memory_bytes();
    model_options.debug_names = policy.debug_names;
    WeightStore::Home home{std::move(opened.payload), std::move(opened.decoded), open_options.page_flags};
    COFFER_TRY_ASSIGN(loaded.model, Model::create(std::move(opened.model), model_options, std::move(home)));
    return loaded;
}

}  // namespace coffer::runtime
