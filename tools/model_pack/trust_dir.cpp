#include "trust_dir.hpp"

#include <algorithm>
#include <filesystem>

#include "cli.hpp"
#include "coffer/base/os.hpp"
#include "trust/policy.hpp"

namespace coffer::cli {
namespace {

constexpr uint64_t kLockWaitMs = 10'000;
constexpr size_t kMaxUpdateBytes = size_t{64} << 20;  // of a chain of bundles

// Readable to others, writable to nobody else: nothing in it is secret.
Status replace(const std::string& path, Bytes bytes) {
    COFFER_TRY_ASSIGN(os::AtomicFile file, os::AtomicFile::create(path, 0644));
    COFFER_TRY(file.write(bytes));
    return file.commit();
}

Result<std::optional<std::vector<std::byte>>> read_if_there(const std::string& path) {
    std::error_code failed;
    const auto status = std::filesystem::symlink_status(path, failed);
    if (status.type() == std::filesystem::file_type::not_found) return std::optional<std::vector<std::byte>>();
    COFFER_TRY_ASSIGN(std::vector<std::byte> bytes, os::read_file(path, trust::kMaxStateBytes));
    return std::optional(std::move(bytes));
}

}  // namespace

Result<std::shared_ptr<const trust::Bundle>> load_bundle_file(const std::string& path) {
    COFFER_TRY_ASSIGN(const std::vector<std::byte> file, os::read_file(path, kMaxUpdateBytes));
    return named(path, trust::load_bundle(file, trust::Caps{}.bundle_bytes));
}

Result<TrustDir> TrustDir::at(const std::string& path) {
    if (path != "default") return TrustDir(path);
    const char* state = os::environment("XDG_STATE_HOME");
    if (state && *state == '/') return TrustDir(std::string(state) + "/coffer");
    const char* home = os::environment("HOME");
    if (!home || *home != '/')
        return error(Code::kInvalidArgument, "no --trust-store DIR, no XDG_STATE_HOME and no HOME");
    return TrustDir(std::string(home) + "/.local/state/coffer");
}

std::shared_ptr<const trust::StateStore> TrustDir::store(bool begin) const {
    const std::string path = path_ + "/state";
    trust::StateStore store;
    // What is missing or damaged is said here, where the file has a name.
    store.load = [path, begin]() -> Result<std::optional<std::vector<std::byte>>> {
        COFFER_TRY_ASSIGN(auto bytes, read_if_there(path));
        if (!bytes && !begin) {
            return error(Code::kNotFound, Detail::kIo, "'", path,
                         "': there is none; `model-pack trust init` makes it, once");
        }
        if (bytes) COFFER_TRY(named(path, trust::State::decode(*bytes)));
        return bytes;
    };
    store.store = [path](Bytes expected, Bytes data) -> Result<bool> {
        COFFER_TRY_ASSIGN(const os::FileLock lock, os::FileLock::acquire(path, kLockWaitMs));
        COFFER_TRY_ASSIGN(const auto now, read_if_there(path));
        if (!std::ranges::equal(now ? Bytes(*now) : Bytes(), expected)) return false;
        COFFER_TRY(replace(path, data));
        return true;
    };
    return std::make_shared<const trust::StateStore>(std::move(store));
}

Result<std::shared_ptr<const trust::Bundle>> TrustDir::bundle() const {
    auto bundle = load_bundle_file(bundle_path());
    if (bundle || bundle.error().code() != Code::kNotFound) return bundle;
    return error(Code::kNotFound, Detail::kIo, bundle.error().message(), "; `model-pack trust init` makes it, once");
}

Status TrustDir::init(const trust::Bundle& bundle) const {
    std::error_code failed;
    std::filesystem::create_directories(path_, failed);
    if (failed) return error(Code::kIo, Detail::kIo, "cannot make the folder '", path_, "': ", failed.message());
    const auto state = store(/*begin=*/true);
    COFFER_TRY_ASSIGN(const auto old, state->load());
    if (old)
        return error(Code::kConflict, Detail::kIo, "'", path_,
                     "' has a state already; see `model-pack trust update`");
    COFFER_TRY(replace(bundle_path(), bundle.bytes));
    return trust::create_state(*state, &bundle);
}

Result<std::shared_ptr<const trust::Bundle>> TrustDir::update(Bytes chain) const {
    COFFER_TRY_ASSIGN(const os::FileLock lock, os::FileLock::acquire(bundle_path(), kLockWaitMs));
    COFFER_TRY_ASSIGN(const auto current, bundle());
    COFFER_TRY_ASSIGN(const auto next, trust::update_bundle(current, chain, trust::Caps{}.bundle_bytes));
    // The bundle first: a state that knows of a newer one than there is would shut everything.
    if (next->number != current->number) COFFER_TRY(replace(bundle_path(), next->bytes));
    COFFER_TRY(trust::update_state(*store(), [&](trust::State& state) { return state.adopt(*next); }));
    return next;
}

}  // namespace coffer::cli
