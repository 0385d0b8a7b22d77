#include "container/in_place.hpp"

#include <algorithm>

#include "container/errors.hpp"

namespace coffer::container {
namespace {

// Whether the file at `path` has these regions, and nothing behind them.
Result<bool> holds(const std::string& path, const Header& header, const InPlace::Regions& regions) {
    COFFER_TRY_ASSIGN(const os::File file, os::File::open_read(path));
    if (file.size() != header.body_len + regions.slots.size()) return false;
    std::vector<std::byte> head(regions.head.size()), slots(regions.slots.size());
    COFFER_TRY(file.read_at(0, head));
    COFFER_TRY(file.read_at(header.body_len, slots));
    return std::ranges::equal(head, regions.head) && std::ranges::equal(slots, regions.slots);
}

}  // namespace

Result<InPlace> InPlace::begin(const std::string& path, uint64_t lock_wait_ms) {
    COFFER_TRY_ASSIGN(std::string real, os::real_path(path));
    COFFER_TRY_ASSIGN(os::FileLock lock, os::FileLock::acquire(real, lock_wait_ms));
    COFFER_TRY_ASSIGN(os::File file, os::File::open_read(real));
    return InPlace(std::move(real), std::move(lock), std::make_shared<const os::File>(std::move(file)));
}

Source InPlace::source() const {
    ReaderCallbacks callbacks;
    callbacks.size = [file = file_]() -> Result<uint64_t> { return file->size(); };
    callbacks.read_at = [file = file_](uint64_t offset, MutableBytes dst) { return file->read_at(offset, dst); };
    return Source::reader(std::move(callbacks));
}

Status InPlace::replace(const Header& header, const Regions& before, const Regions& after,
                        const std::function<Status(const std::string& temporary)>& check) {
    COFFER_TRY_ASSIGN(os::AtomicFile next, os::AtomicFile::create(path_, 0600));
    COFFER_TRY(next.write(after.head));
    COFFER_TRY(next.copy_from(*file_, after.head.size(), header.body_len - after.head.size()));
    COFFER_TRY(next.write(after.slots));
    COFFER_TRY(os::copy_access(*file_, next.temporary_path()));
    COFFER_TRY_ASSIGN(const bool written, holds(next.temporary_path(), header, after));
    if (!written) return error(Code::kIo, Detail::kIo, "the written file does not hold what was written");
    const Status checked = check(next.temporary_path());
    if (!checked.ok()) return checked.error().within("the written file does not check: ");
    COFFER_TRY(next.sync());
    COFFER_TRY_ASSIGN(const bool same, holds(path_, header, before));
    if (!same) return error(Code::kIo, Detail::kIo, "'", path_, "' was replaced meanwhile; nothing was changed");
    return next.commit();
}

}  // namespace coffer::container
