// Changing files in place, for Linux.
#if defined(__linux__)

#include <fcntl.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "base/os_common_linux.hpp"
#include "coffer/base/in_place.hpp"
#include "coffer/base/os.hpp"

namespace coffer::os {
namespace {

constexpr long kPollNs = 5'000'000;

}  // namespace

Result<std::string> real_path(const std::string& path) {
    if (path.find('\0') != std::string::npos) {
        return error(Code::kInvalidArgument, "file name '", path, "' has a NUL");
    }
    const std::unique_ptr<char, decltype(&::free)> resolved(::realpath(path.c_str(), nullptr), &::free);
    if (!resolved) return io_error("cannot open", path, errno);
    return std::string(resolved.get());
}

Status copy_access(const File& from, const std::string& to) {
    struct stat old, now;
    if (::fstat(from.fd(), &old) != 0) return io_error("cannot read the access rights for", to, errno);
    const Descriptor file(retry([&] { return ::open(to.c_str(), O_RDWR | O_NOFOLLOW | O_CLOEXEC); }));
    if (!file.valid() || ::fstat(file.get(), &now) != 0) return io_error("cannot open", to, errno);
    mode_t mode = old.st_mode & 0777;
    if (now.st_uid != old.st_uid || now.st_gid != old.st_gid) {
        // Only root may give a file away; anyone may hand it to a group of his own.
        if (::fchown(file.get(), old.st_uid, old.st_gid) != 0 &&
            ::fchown(file.get(), static_cast<uid_t>(-1), old.st_gid) != 0) {
            mode &= ~static_cast<mode_t>(070);
        }
    }
    if (::fchmod(file.get(), mode) != 0) return io_error("cannot set the access rights of", to, errno);
    return {};
}

struct FileLock::State {
    Descriptor dir;
    Descriptor file;
    std::string name;  // in `dir`
    pid_t owner = 0;

    // Removed while it is still held: who waits for it finds it gone and makes a new one.
    ~State() {
        if (owner != 0 && owner == ::getpid()) ::unlinkat(dir.get(), name.c_str(), 0);
    }
};

FileLock::FileLock(std::unique_ptr<State> state) : state_(std::move(state)) {}
FileLock::FileLock(FileLock&&) noexcept = default;
FileLock::~FileLock() = default;

Result<FileLock> FileLock::acquire(const std::string& path, uint64_t wait_ms) {
    const size_t slash = path.rfind('/');
    const std::string folder = slash == std::string::npos ? "./" : path.substr(0, slash + 1);
    auto state = std::make_unique<State>();
    state->name = "." + path.substr(slash == std::string::npos ? 0 : slash + 1) + ".lock";
    const std::string shown = folder + state->name;
    state->dir = Descriptor(retry([&] { return ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC); }));
    if (!state->dir.valid()) return io_error("cannot open folder", folder, errno);

    const uint64_t end = monotonic_ns() + wait_ms * 1'000'000;
    for (;;) {
        constexpr int flags = O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC;
        Descriptor file(retry([&] { return ::openat(state->dir.get(), state->name.c_str(), flags, 0600); }));
        struct stat held, there;
        if (!file.valid() || ::fstat(file.get(), &held) != 0) return io_error("cannot lock", shown, errno);
        if (!S_ISREG(held.st_mode) || held.st_size != 0) {
            return error(Code::kIo, Detail::kIo, "'", shown, "' is in the way: it is not a lock file");
        }
        if (retry([&] { return ::flock(file.get(), LOCK_EX | LOCK_NB); }) != 0) {
            if (errno != EWOULDBLOCK) return io_error("cannot lock", shown, errno);
            if (monotonic_ns() >= end) {
                return error(Code::kIo, Detail::kIo, "'", path, "' is being changed by another process (", shown,
                             ")");
            }
            const struct timespec pause = {0, kPollNs};
            ::nanosleep(&pause, nullptr);
            continue;
        }
        // The last holder may have removed the file between our open and our lock.
        if (::fstatat(state->dir.get(), state->name.c_str(), &there, AT_SYMLINK_NOFOLLOW) == 0 &&
            there.st_ino == held.st_ino && there.st_dev == held.st_dev) {
            std::swap(state->file, file);
            state->owner = ::getpid();
            return FileLock(std::move(state));
        }
    }
}

}  // namespace coffer::os

#endif  // __linux__
