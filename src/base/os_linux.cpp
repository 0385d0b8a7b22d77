// The operating system layer for Linux (x86 and ARM).
#if defined(__linux__)

#include "coffer/base/os.hpp"

#include <fcntl.h>
#include <sched.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#if defined(__x86_64__)
#include <cpuid.h>
#endif

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <optional>
#include <system_error>
#include <vector>

#include "base/os_common_linux.hpp"
#include "coffer/base/checked.hpp"

namespace coffer::os {
namespace {

// A path with an embedded NUL would silently name another file.
Status check_path(const std::string& path) {
    if (path.empty()) return error(Code::kInvalidArgument, "empty file name");
    if (path.find('\0') != std::string::npos)
        return error(Code::kInvalidArgument, "file name '", path, "' has a NUL");
    return {};
}

Descriptor open_at(int dir, const char* path, int flags, mode_t mode = 0) {
    return Descriptor(retry([&] { return ::openat(dir, path, flags | O_CLOEXEC | O_NOCTTY, mode); }));
}

}  // namespace

// ---- files

Result<File> File::open_read(const std::string& path, Flags flags) {
    COFFER_TRY(check_path(path));
    // O_NONBLOCK: opening a FIFO must not wait for a writer before it can be refused.
    const int follow = flags & kNoFollow ? O_NOFOLLOW : 0;
    Descriptor fd = open_at(AT_FDCWD, path.c_str(), O_RDONLY | O_NONBLOCK | follow);
    if (!fd.valid()) {
        if (errno == ELOOP && follow) return error(Code::kIo, Detail::kIo, "'", path, "' is a symbolic link");
        return io_error("cannot open", path, errno);
    }
    struct stat info;
    if (::fstat(fd.get(), &info) != 0) return io_error("cannot stat", path, errno);
    if (!S_ISREG(info.st_mode)) return error(Code::kIo, Detail::kIo, "'", path, "' is not a regular file");
    return File(fd.release(), static_cast<uint64_t>(info.st_size), path);
}

File::File(File&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)), size_(std::exchange(other.size_, 0)), path_(std::move(other.path_)) {}

File& File::operator=(File&& other) noexcept {
    std::swap(fd_, other.fd_);
    std::swap(size_, other.size_);
    std::swap(path_, other.path_);
    return *this;
}

File::~File() {
    if (fd_ >= 0) ::close(fd_);
}

Status File::read_at(uint64_t offset, MutableBytes dst) const {
    uint64_t end = 0;
    if (!checked_add<uint64_t>(offset, dst.size(), &end) || !std::in_range<off_t>(end)) {
        return error(Code::kIo, Detail::kIo, "'", path_, "': read at ", offset, " is out of range");
    }
    while (!dst.empty()) {
        const ssize_t n = retry([&] { return ::pread(fd_, dst.data(), dst.size(), static_cast<off_t>(offset)); });
        if (n < 0) return io_error("cannot read", path_, errno);
        if (n == 0) return error(Code::kIo, Detail::kIo, "'", path_, "' ends at ", offset, ", ", end, " expected");
        offset += static_cast<uint64_t>(n);
        dst = dst.subspan(static_cast<size_t>(n));
    }
    return {};
}

Result<File::Stat> File::stat() const {
    struct stat info;
    if (::fstat(fd_, &info) != 0) return io_error("cannot stat", path_, errno);
    return Stat{static_cast<uint32_t>(info.st_mode & 07777), static_cast<uint32_t>(info.st_uid)};
}

Result<std::vector<std::byte>> read_file(const std::string& path, uint64_t max_bytes) {
    COFFER_TRY_ASSIGN(File file, File::open_read(path));
    if (file.size() > max_bytes) {
        return error(Code::kLimit, Detail::kLimit, "'", path, "' has ", file.size(), " bytes, at most ", max_bytes,
                     " are allowed");
    }
    std::vector<std::byte> bytes(static_cast<size_t>(file.size()));
    COFFER_TRY(file.read_at(0, bytes));
    return bytes;
}

Result<size_t> read_fd(int fd, MutableBytes dst) {
    size_t filled = 0;
    while (filled < dst.size()) {
        const ssize_t n = retry([&] { return ::read(fd, dst.data() + filled, dst.size() - filled); });
        if (n < 0) return io_error("cannot read", "fd:" + std::to_string(fd), errno);
        if (n == 0) break;
        filled += static_cast<size_t>(n);
    }
    return filled;
}

// ---- atomic replacement

namespace {

// Temporaries that exist now, where a signal handler can find them: no locks, no allocation. An entry is
// published before its file is created, and the owner is the process that created it (not a fork of it).
struct LiveTemporary {
    enum State : int { kFree, kClaimed, kLive };
    std::atomic<int> state{kFree};
    int dir = -1;
    pid_t owner = 0;
    char name[48] = {};
};
constexpr size_t kMaxTemporaries = 64;
LiveTemporary live_temporaries[kMaxTemporaries];
// Counts calls of remove_temporaries(), so that a file created while the handler runs is noticed.
std::atomic<unsigned> removals{0};
static_assert(std::atomic<int>::is_always_lock_free && std::atomic<unsigned>::is_always_lock_free);

LiveTemporary* claim_temporary() {
    for (LiveTemporary& entry : live_temporaries) {
        int expected = LiveTemporary::kFree;
        if (entry.state.compare_exchange_strong(expected, LiveTemporary::kClaimed)) return &entry;
    }
    return nullptr;
}

bool random_name(char (&name)[48]) {
    std::array<unsigned char, 16> bytes;
    if (retry([&] { return ::getrandom(bytes.data(), bytes.size(), 0); }) != static_cast<ssize_t>(bytes.size())) {
        return false;
    }
    constexpr std::string_view prefix = ".coffer-";
    constexpr char digits[] = "0123456789abcdef";
    char* out = std::copy(prefix.begin(), prefix.end(), name);
    for (unsigned char b : bytes) {
        *out++ = digits[b >> 4];
        *out++ = digits[b & 15];
    }
    std::memcpy(out, ".tmp", 5);
    return true;
}

Status write_all(int fd, uint64_t offset, Bytes bytes, const std::string& path) {
    uint64_t end;
    if (!checked_add<uint64_t>(offset, bytes.size(), &end) || !std::in_range<off_t>(end)) {
        return error(Code::kIo, Detail::kIo, "'", path, "': write at ", offset, " is out of range");
    }
    while (!bytes.empty()) {
        const ssize_t n = retry([&] { return ::pwrite(fd, bytes.data(), bytes.size(), static_cast<off_t>(offset)); });
        if (n < 0) return io_error("cannot write", path, errno);
        if (n == 0) return io_error("cannot write", path, ENOSPC);
        offset += static_cast<uint64_t>(n);
        bytes = bytes.subspan(static_cast<size_t>(n));
    }
    return {};
}

}  // namespace

struct AtomicFile::State {
    Descriptor dir;
    Descriptor file;
    std::string target;     // as the caller named it, for messages
    std::string base;       // last component of target
    std::string temporary;  // path of the temporary
    uint64_t end = 0;       // where write() and copy_from() append
    LiveTemporary* entry = nullptr;

    ~State() {
        if (entry == nullptr) return;
        if (file.valid() && entry->owner == ::getpid()) ::unlinkat(dir.get(), entry->name, 0);
        forget();
    }
    Status sync();
    Status finish(bool replace);
    void forget() {
        entry->state.store(LiveTemporary::kFree);
        entry = nullptr;
    }
};

AtomicFile::AtomicFile(std::unique_ptr<State> state) : state_(std::move(state)) {}
AtomicFile::AtomicFile(AtomicFile&&) noexcept = default;
AtomicFile::~AtomicFile() = default;

Result<AtomicFile> AtomicFile::create(const std::string& path, uint32_t mode) {
    COFFER_TRY(check_path(path));
    auto state = std::make_unique<State>();
    state->target = path;
    const size_t slash = path.rfind('/');
    const std::string folder = slash == std::string::npos ? "./" : path.substr(0, slash + 1);
    state->base = path.substr(slash == std::string::npos ? 0 : slash + 1);
    if (state->base.empty()) return error(Code::kInvalidArgument, "'", path, "' names a folder");

    state->dir = open_at(AT_FDCWD, folder.c_str(), O_RDONLY | O_DIRECTORY);
    if (!state->dir.valid()) return io_error("cannot open folder", folder, errno);
    // rename() would happily put a file in the place of a device or a FIFO.
    struct stat info;
    if (::fstatat(state->dir.get(), state->base.c_str(), &info, 0) == 0 && !S_ISREG(info.st_mode)) {
        return error(Code::kIo, Detail::kIo, "'", path, "' exists and is not a regular file");
    }

    LiveTemporary* entry = claim_temporary();
    if (entry == nullptr) return error(Code::kLimit, Detail::kLimit, "too many files are being written at once");
    state->entry = entry;
    if (!random_name(entry->name)) return io_error("no random name for", path, errno);
    entry->dir = state->dir.get();
    entry->owner = ::getpid();
    state->temporary = folder + entry->name;

    const unsigned before = removals.load();
    entry->state.store(LiveTemporary::kLive);
    state->file = open_at(state->dir.get(), entry->name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW, mode);
    if (!state->file.valid()) return io_error("cannot create a temporary file beside", path, errno);
    if (removals.load() != before) return error(Code::kCancelled, Detail::kCancelled, "interrupted");
    return AtomicFile(std::move(state));
}

const std::string& AtomicFile::temporary_path() const {
    return state_->temporary;
}

Status AtomicFile::write(Bytes bytes) {
    return write_at(state_->end, bytes);
}

Status AtomicFile::write_at(uint64_t offset, Bytes bytes) {
    COFFER_TRY(write_all(state_->file.get(), offset, bytes, state_->target));
    state_->end = std::max(state_->end, offset + bytes.size());
    return {};
}

Status AtomicFile::copy_from(const File& src, uint64_t offset, uint64_t size) {
    uint64_t src_end, dst_end;
    if (!checked_add(offset, size, &src_end) || src_end > src.size() || !checked_add(state_->end, size, &dst_end) ||
        !std::in_range<off_t>(dst_end)) {
        return error(Code::kIo, Detail::kIo, "'", state_->target, "': copy of ", size, " bytes is out of range");
    }
    // The kernel copies (or shares) the blocks; where it cannot, for example between file systems, the rest
    // goes through a buffer, which also reports the real error if there is one.
    while (size > 0) {
        off_t from = static_cast<off_t>(offset);
        off_t to = static_cast<off_t>(state_->end);
        const size_t step = static_cast<size_t>(std::min<uint64_t>(size, uint64_t{1} << 30));
        const ssize_t n = retry([&] { return ::copy_file_range(src.fd(), &from, state_->file.get(), &to, step, 0); });
        if (n <= 0) break;
        offset += static_cast<uint64_t>(n);
        size -= static_cast<uint64_t>(n);
        state_->end += static_cast<uint64_t>(n);
    }
    std::vector<std::byte> buffer(static_cast<size_t>(std::min<uint64_t>(size, 1 << 20)));
    while (size > 0) {
        const MutableBytes part(buffer.data(), static_cast<size_t>(std::min<uint64_t>(size, buffer.size())));
        COFFER_TRY(src.read_at(offset, part));
        COFFER_TRY(write(part));
        offset += part.size();
        size -= part.size();
    }
    return {};
}

namespace {

// RENAME_NOREPLACE, or a second name for the file where the file system does not know that flag.
bool rename_new(int dir, const char* from, const char* to) {
    if (::renameat2(dir, from, dir, to, RENAME_NOREPLACE) == 0) return true;
    if (errno != EINVAL && errno != ENOSYS) return false;
    return ::linkat(dir, from, dir, to, 0) == 0 && ::unlinkat(dir, from, 0) == 0;
}

}  // namespace

Status AtomicFile::State::sync() {
    if (retry([&] { return ::fsync(file.get()); }) != 0) return io_error("cannot write", target, errno);
    return {};
}

Status AtomicFile::State::finish(bool replace) {
    if (entry == nullptr) return error(Code::kInternal, "'", target, "' was committed before");
    COFFER_TRY(sync());
    const bool renamed = replace ? ::renameat(dir.get(), entry->name, dir.get(), base.c_str()) == 0
                                 : rename_new(dir.get(), entry->name, base.c_str());
    if (!renamed) return io_error(replace ? "cannot replace" : "cannot create", target, errno);
    forget();
    // Some file systems cannot sync a folder and say EINVAL; there is nothing more to do on those.
    if (retry([&] { return ::fsync(dir.get()); }) != 0 && errno != EINVAL) {
        return io_error("cannot sync the folder of", target, errno);
    }
    return {};
}

Status AtomicFile::sync() {
    return state_->sync();
}
Status AtomicFile::commit() {
    return state_->finish(true);
}
Status AtomicFile::commit_new() {
    return state_->finish(false);
}

void remove_temporaries() noexcept {
    const int saved_errno = errno;
    removals.fetch_add(1);
    const pid_t self = ::getpid();
    for (LiveTemporary& entry : live_temporaries) {
        if (entry.state.load() == LiveTemporary::kLive && entry.owner == self) ::unlinkat(entry.dir, entry.name, 0);
    }
    errno = saved_errno;
}

// ---- memory

namespace {

constexpr size_t kHugePage = size_t{2} << 20;

size_t page_size() {
    static const size_t size = static_cast<size_t>(::sysconf(_SC_PAGESIZE));
    return size;
}

// Each page is locked when it is first touched, so that what is never loaded takes no memory; kernels before 4.4 know
// only all at once.
bool lock_pages(void* data, size_t size) noexcept {
    if (::mlock2(data, size, MLOCK_ONFAULT) == 0) return true;
    return errno == ENOSYS && ::mlock(data, size) == 0;
}

// Wipes whole pages, leaving those alone that were never touched: writing zeros to them would allocate them.
void wipe_pages(std::byte* data, size_t size) noexcept {
    const size_t page = page_size();
    unsigned char resident[256];
    while (size > 0) {
        const size_t step = std::min(size, page * sizeof resident);
        const bool known = ::mincore(data, step, resident) == 0;
        for (size_t i = 0; i * page < step; ++i) {
            if (!known || (resident[i] & 1)) wipe(data + i * page, page);
        }
        data += step;
        size -= step;
    }
}

}  // namespace

void wipe(void* data, size_t size) noexcept {
    if (size > 0) ::explicit_bzero(data, size);
}

Result<Pages> Pages::allocate(size_t size, unsigned flags) {
    const size_t page = page_size();
    // A huge page costs as much to make as 130 small ones, a quarter of it; if the rest is not used, it must be half
    // full to be worth its memory.
    const size_t worth = flags & kWhole ? kHugePage / 4 : kHugePage / 2;
    const bool huge = (flags & kHuge) && size >= worth;
    const size_t guard = flags & kGuard ? page : 0;
    const size_t slack = huge ? kHugePage : 0;  // to align the start, and to complete the last huge page
    size_t usable, mapped;
    if (!checked_round_up(std::max<size_t>(size, 1), page, &usable) ||
        !checked_add(usable, 2 * guard + 2 * slack, &mapped)) {
        return error(Code::kOutOfMemory, "cannot allocate ", size, " bytes");
    }
    const bool to_the_end = huge && (flags & (kGuard | kLock)) == 0;  // nothing is locked that is not needed
    const size_t advised = to_the_end ? (usable + kHugePage - worth) / kHugePage * kHugePage : 0;
    const int access = guard > 0 ? PROT_NONE : PROT_READ | PROT_WRITE;
    void* base = ::mmap(nullptr, mapped, access, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (base == MAP_FAILED) return error(Code::kOutOfMemory, "cannot allocate ", size, " bytes");

    Pages pages;
    pages.base_ = base;
    pages.mapped_ = mapped;
    auto start = reinterpret_cast<uintptr_t>(base) + guard;
    if (huge) start = round_up<uintptr_t>(start, kHugePage);
    std::byte* data = reinterpret_cast<std::byte*>(start);
    // Without its access rights there are no secrets in it yet: the destructor only has to unmap.
    if (guard > 0 && ::mprotect(data, usable, PROT_READ | PROT_WRITE) != 0) {
        return error(Code::kOutOfMemory, "cannot allocate ", size, " bytes");
    }
    pages.data_ = data;
    pages.span_ = std::max(usable, advised);
    pages.size_ = flags & kWhole ? pages.span_ : size;
    ::madvise(data, pages.span_, MADV_DONTDUMP);
    if (huge) ::madvise(data, std::max(advised, usable / kHugePage * kHugePage), MADV_HUGEPAGE);
#ifdef MADV_WIPEONFORK
    if (flags & kWipeOnFork) ::madvise(data, usable, MADV_WIPEONFORK);
#endif
    if (flags & kLock) pages.locked_ = lock_pages(data, usable);
    return pages;
}

Pages::Pages(Pages&& other) noexcept {
    *this = std::move(other);
}

Pages& Pages::operator=(Pages&& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
    std::swap(span_, other.span_);
    std::swap(base_, other.base_);
    std::swap(mapped_, other.mapped_);
    std::swap(locked_, other.locked_);
    std::swap(read_only_, other.read_only_);
    return *this;
}

Pages::~Pages() {
    if (base_ == nullptr) return;
    overwrite();
    ::munmap(base_, mapped_);
}

void Pages::protect_read_only() {
    // Refused, they stay what they were: also read-only, if this is the second time.
    if (data_ != nullptr && ::mprotect(data_, span_, PROT_READ) == 0) read_only_ = true;
}

bool Pages::allow_writing() {
    if (read_only_) read_only_ = ::mprotect(data_, span_, PROT_READ | PROT_WRITE) != 0;
    return !read_only_;
}

void Pages::overwrite() {
    allow_writing();
    if (data_ != nullptr && !read_only_) wipe_pages(data_, span_);
}

void Pages::wipe(size_t offset, size_t size) {
    allow_writing();
    if (data_ != nullptr && !read_only_) os::wipe(data_ + offset, size);
}

void Pages::clear() {
    overwrite();
    // What was swapped out, or cannot be written to, is dropped; locked pages were all there to be overwritten.
    if (data_ != nullptr) ::madvise(data_, span_, MADV_DONTNEED);
}

void Pages::prefer_huge(size_t offset, size_t size) {
    const auto begin = round_up<uintptr_t>(reinterpret_cast<uintptr_t>(data_) + offset, kHugePage);
    const auto end = (reinterpret_cast<uintptr_t>(data_) + offset + size) / kHugePage * kHugePage;
    if (begin < end) ::madvise(reinterpret_cast<void*>(begin), end - begin, MADV_HUGEPAGE);
}

void Pages::discard(size_t offset, size_t size) {
    size_t end, begin;
    if (data_ == nullptr || !checked_add(offset, size, &end) || !checked_round_up(offset, page_size(), &begin))
        return;
    // The last page belongs to us wholly, even if size() ends inside it.
    end = end >= size_ ? span_ : end / page_size() * page_size();
    if (begin >= end) return;
    if (read_only_ && ::mprotect(data_ + begin, end - begin, PROT_READ | PROT_WRITE) != 0) return;
    wipe_pages(data_ + begin, end - begin);
    if (locked_) ::munlock(data_ + begin, end - begin);  // what is locked cannot be given back
    ::madvise(data_ + begin, end - begin, MADV_DONTNEED);
    if (read_only_) ::mprotect(data_ + begin, end - begin, PROT_READ);
}

// ---- clocks and limits

namespace {

uint64_t clock_ns(clockid_t clock) {
    struct timespec t;
    if (::clock_gettime(clock, &t) != 0) return 0;
    return static_cast<uint64_t>(t.tv_sec) * 1'000'000'000u + static_cast<uint64_t>(t.tv_nsec);
}

// The files of /proc and /sys have no size: read what fits.
std::optional<std::string> read_small(const std::string& path) {
    const Descriptor fd = open_at(AT_FDCWD, path.c_str(), O_RDONLY);
    if (!fd.valid()) return std::nullopt;
    std::array<std::byte, 8192> buffer;
    const auto n = read_fd(fd.get(), buffer);
    if (!n) return std::nullopt;
    return std::string(as_text(Bytes(buffer.data(), *n)));
}

std::optional<uint64_t> parse_number(std::string_view text) {
    while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
    uint64_t value;
    const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (code != std::errc() || end == text.data()) return std::nullopt;
    return value;
}

// Whether "cpu,cpuacct" names `item`.
bool lists(std::string_view commas, std::string_view item) {
    while (!commas.empty()) {
        const std::string_view first = commas.substr(0, commas.find(','));
        if (first == item) return true;
        commas.remove_prefix(std::min(commas.size(), first.size() + 1));
    }
    return false;
}

// Calls visit(folder, version) for this process's control group and each group above it: a limit anywhere on the way
// counts. Version 2 has one hierarchy; version 1 has one per controller, with files of other names.
template <class Visit>
void for_each_cgroup(std::string_view controller, Visit visit) {
    const auto text = read_small("/proc/self/cgroup");
    if (!text) return;
    std::string_view rest = *text;
    while (!rest.empty()) {
        const std::string_view line = rest.substr(0, rest.find('\n'));
        rest.remove_prefix(std::min(rest.size(), line.size() + 1));
        const size_t first = line.find(':');
        const size_t second = line.find(':', first == line.npos ? first : first + 1);
        if (second == line.npos) continue;
        const std::string_view controllers = line.substr(first + 1, second - first - 1);
        std::string root = "/sys/fs/cgroup";
        const int version = controllers.empty() ? 2 : 1;
        if (version == 1) {
            if (!lists(controllers, controller)) continue;
            root.append("/").append(controller);
        }
        // A group outside our namespace shows as "/.."; then only the root is visible.
        std::string group(line.substr(second + 1));
        if (group.find("..") != group.npos) group.clear();
        while (group.size() > 1) {
            visit(root + group, version);
            group.resize(group.rfind('/'));
        }
        visit(root, version);
    }
}

unsigned affinity_count() {
    // Large machines have more CPUs than cpu_set_t; the kernel says EINVAL until the set is large enough.
    for (size_t cpus = CPU_SETSIZE; cpus <= size_t{1} << 20; cpus *= 4) {
        cpu_set_t* set = CPU_ALLOC(cpus);
        if (set == nullptr) break;
        const int failed = ::sched_getaffinity(0, CPU_ALLOC_SIZE(cpus), set);
        const int count = failed ? 0 : CPU_COUNT_S(CPU_ALLOC_SIZE(cpus), set);
        CPU_FREE(set);
        if (count > 0) return static_cast<unsigned>(count);
    }
    return static_cast<unsigned>(std::max(1L, ::sysconf(_SC_NPROCESSORS_ONLN)));
}

}  // namespace

uint64_t process_id() {
    return static_cast<uint64_t>(::getpid());
}
int64_t unix_time() {
    return static_cast<int64_t>(::time(nullptr));
}
uint64_t monotonic_ns() {
    return clock_ns(CLOCK_MONOTONIC);
}
uint64_t process_cpu_ns() {
    return clock_ns(CLOCK_PROCESS_CPUTIME_ID);
}
uint32_t effective_uid() {
    return static_cast<uint32_t>(::geteuid());
}

namespace {

// A size of /proc/self/status, such as "VmRSS:".
std::optional<uint64_t> status_bytes(std::string_view key) {
    const auto status = read_small("/proc/self/status");
    if (!status) return std::nullopt;
    const size_t at = status->find(key);
    if (at == status->npos) return std::nullopt;
    const auto kib = parse_number(std::string_view(*status).substr(at + key.size()));
    return kib ? std::optional(*kib * 1024) : std::nullopt;
}

}  // namespace

uint64_t peak_memory_bytes() {
    if (const auto peak = status_bytes("VmHWM:")) return *peak;
    struct rusage usage;
    return ::getrusage(RUSAGE_SELF, &usage) == 0 ? static_cast<uint64_t>(usage.ru_maxrss) * 1024 : 0;
}

uint64_t resident_memory_bytes() {
    return status_bytes("VmRSS:").value_or(0);
}

bool reset_peak_memory() {
    const Descriptor file = open_at(AT_FDCWD, "/proc/self/clear_refs", O_WRONLY);
    return file.valid() &&
           retry([&] { return ::write(file.get(), "5", 1); }) == 1;  // proc(5): the peak becomes VmRSS
}

unsigned cpu_count() {
    uint64_t count = affinity_count();
    const auto limit = [&](std::optional<uint64_t> quota, std::optional<uint64_t> period) {
        if (quota && period && *quota > 0 && *period > 0) {
            count = std::min(count, *quota / *period + (*quota % *period != 0));
        }
    };
    for_each_cgroup("cpu", [&](const std::string& folder, int version) {
        if (version == 2) {
            const std::string max = read_small(folder + "/cpu.max").value_or("");  // "max 100000" or "150000 100000"
            const size_t space = max.find(' ');
            if (space != max.npos) limit(parse_number(max), parse_number(std::string_view(max).substr(space)));
        } else if (const auto quota = read_small(folder + "/cpu.cfs_quota_us")) {  // "-1" for none
            const auto period = read_small(folder + "/cpu.cfs_period_us");
            limit(parse_number(*quota), parse_number(period.value_or("")));
        }
    });
    return static_cast<unsigned>(std::max<uint64_t>(count, 1));
}

uint64_t memory_limit() {
    static const uint64_t asked_once = [] {
        const long pages = ::sysconf(_SC_PHYS_PAGES);
        uint64_t limit = std::numeric_limits<uint64_t>::max();
        if (pages > 0) limit = static_cast<uint64_t>(pages) * page_size();
        for_each_cgroup("memory", [&](const std::string& folder, int version) {
            const auto text = read_small(folder + (version == 2 ? "/memory.max" : "/memory.limit_in_bytes"));
            if (const auto bytes = parse_number(text.value_or(""))) limit = std::min(limit, *bytes);
        });
        return limit;
    }();
    return asked_once;
}

const char* environment(const char* name) {
    return std::getenv(name);
}

// ---- CPU features

namespace {

CpuFeatures find_cpu_features() {
    CpuFeatures found;
#if defined(__x86_64__)
    unsigned a, b, c, d;
    if (__get_cpuid_max(0, nullptr) < 7) return found;
    __cpuid(0x80000001, a, b, c, d);  // there in all that have leaf 7
    const unsigned lzcnt = c & bit_LZCNT;
    __cpuid(1, a, b, c, d);
    const unsigned ecx1 = c;
    __cpuid_count(7, 0, a, b, c, d);
    const auto has = [](unsigned value, unsigned bits) { return (value & bits) == bits; };
    found.sha = has(ecx1, bit_SSSE3 | bit_SSE4_1) && has(b, bit_SHA);

    if (!has(ecx1, bit_OSXSAVE)) return found;
    unsigned xcr0, high;
    __asm__ volatile("xgetbv" : "=a"(xcr0), "=d"(high) : "c"(0));
    constexpr unsigned kYmm = 1u << 1 | 1u << 2, kZmm = kYmm | 1u << 5 | 1u << 6 | 1u << 7,
                       kTiles = 1u << 17 | 1u << 18;
    constexpr unsigned kAmxBf16 = 1u << 22, kAmxTile = 1u << 24, kAmxInt8 = 1u << 25, kAvx512Bf16 = 1u << 5;
    found.avx2 = has(xcr0, kYmm) && has(ecx1, bit_AVX | bit_FMA | bit_F16C | bit_POPCNT) &&
                 has(b, bit_AVX2 | bit_BMI | bit_BMI2) && lzcnt != 0;
    found.avx512 = found.avx2 && has(xcr0, kZmm) &&
                   has(b, bit_AVX512F | bit_AVX512BW | bit_AVX512CD | bit_AVX512DQ | bit_AVX512VL);
    found.avx512_vnni = found.avx512 && has(c, bit_AVX512VNNI);
    if (!has(xcr0, kTiles) || !has(d, kAmxBf16 | kAmxTile | kAmxInt8)) return found;
    __cpuid_count(7, 1, a, b, c, d);
    found.amx = has(a, kAvx512Bf16);
#endif
    return found;
}

}  // namespace

const CpuFeatures& cpu_features() {
    static const CpuFeatures features = find_cpu_features();
    return features;
}

bool amx_permitted() {
#if defined(__x86_64__)
    constexpr long kReqXcompPerm = 0x1023, kXtileData = 18;  // <asm/prctl.h>, absent from older headers
    static const bool permitted = cpu_features().amx && ::syscall(SYS_arch_prctl, kReqXcompPerm, kXtileData) == 0;
    return permitted;
#else
    return false;
#endif
}

#if defined(__aarch64__)
bool neon_dotprod() {
    constexpr unsigned long kAsimdDp = 1ul << 20;  // HWCAP_ASIMDDP
    return (::getauxval(AT_HWCAP) & kAsimdDp) != 0;
}
#else
bool neon_dotprod() {
    return false;
}
#endif

}  // namespace coffer::os

#endif  // __linux__
