// The operating system, all of it: files, memory pages, time, CPU count. One .cpp per platform
// (src/base/os_linux.cpp); nothing else in the library calls the system.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "coffer/base/bytes.hpp"
#include "coffer/base/error.hpp"

// Its own heap sees the end of each piece, ours would not.
#if defined(__SANITIZE_ADDRESS__)
#define COFFER_ADDRESS_SANITIZER 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define COFFER_ADDRESS_SANITIZER 1
#endif
#endif

namespace coffer::os {

// An open regular file, read by position only. Thread-safe: pread has no cursor.
class File {
 public:
    enum Flags : unsigned { kNone = 0, kNoFollow = 1 };  // kNoFollow refuses a symbolic link as last component
    static Result<File> open_read(const std::string& path, Flags flags = kNone);
    // Opens `relative` below `folder`, for names that come from a file: refuses an absolute path, "..", an
    // empty component, and a symbolic link in any component of `relative`.
    static Result<File> open_beneath(const std::string& folder, const std::string& relative);

    File(File&& other) noexcept;
    File& operator=(File&& other) noexcept;
    ~File();

    uint64_t size() const { return size_; }  // asked once, at open
    // Fills `dst` from `offset`, or fails (a short read is an error).
    Status read_at(uint64_t offset, MutableBytes dst) const;
    // Mode bits (07777) and owner, for the checks of key files.
    struct Stat {
        uint32_t mode = 0;
        uint32_t uid = 0;
    };
    Result<Stat> stat() const;
    int fd() const { return fd_; }

 private:
    File(int fd, uint64_t size, std::string path) : fd_(fd), size_(size), path_(std::move(path)) {}
    int fd_ = -1;
    uint64_t size_ = 0;
    std::string path_;
};

// Whole file into memory, refused over `max_bytes`.
Result<std::vector<std::byte>> read_file(const std::string& path, uint64_t max_bytes);

// Reads an inherited descriptor until its end or until `dst` is full; how many bytes came.
Result<size_t> read_fd(int fd, MutableBytes dst);

// Replaces `path` in one step: temporary file in the same folder (mode given), written through `fill`,
// fsync, optional `verify` of the finished temporary, rename, fsync of the folder. On any error, and when
// the process receives SIGINT/SIGTERM/SIGHUP through remove_temporaries(), the temporary is removed and
// the old file is untouched.
class AtomicFile {
 public:
    static Result<AtomicFile> create(const std::string& path, uint32_t mode);
    AtomicFile(AtomicFile&&) noexcept;
    AtomicFile& operator=(AtomicFile&&) = delete;
    ~AtomicFile();  // removes the temporary unless commit() succeeded

    Status write(Bytes bytes);                                          // append
    Status write_at(uint64_t offset, Bytes bytes);                      // absolute
    Status copy_from(const File& src, uint64_t offset, uint64_t size);  // append; copy_file_range where it works
    const std::string& temporary_path() const;
    Status sync();        // fsync of the temporary; commit() calls it too
    Status commit();      // fsync, rename over `path`, fsync of the folder
    Status commit_new();  // the same, but fails when `path` exists

 private:
    struct State;
    explicit AtomicFile(std::unique_ptr<State> state);
    std::unique_ptr<State> state_;
};
// Async-signal-safe: unlinks every temporary of live AtomicFile objects. For a tool's signal handler.
void remove_temporaries() noexcept;

// Anonymous private pages: zeroed, 64-byte (page) aligned, excluded from core dumps, wiped before they are
// returned. kLock asks for pages that are never swapped; whether that was granted is reported by locked().
class Pages {
 public:
    // kGuard: an inaccessible page on each side. kHuge: asks for huge pages, also for a last one that is at least
    // half full. kWipeOnFork: a forked child sees zeros. kWhole: size() becomes all that the pages hold, and a
    // quarter of the last huge page will do.
    enum Flags : unsigned { kPlain = 0, kLock = 1, kGuard = 2, kHuge = 4, kWipeOnFork = 8, kWhole = 16 };
    static Result<Pages> allocate(size_t size, unsigned flags);
    Pages() = default;
    Pages(Pages&& other) noexcept;
    Pages& operator=(Pages&& other) noexcept;
    ~Pages();

    std::byte* data() const { return data_; }
    size_t size() const { return size_; }
    bool locked() const { return locked_; }
    void protect_read_only();
    bool allow_writing();                   // false: the system refuses, they stay read-only
    void clear();                           // writable again, and zeros
    void wipe(size_t offset, size_t size);  // zeros, unless the system keeps them read-only
    // Huge pages where they fit into [offset, offset+size), which will soon be written from end to end.
    void prefer_huge(size_t offset, size_t size);
    // Gives the pages that lie wholly in [offset, offset+size) back to the system, wiped; kLock does not hold for
    // them any more.
    void discard(size_t offset, size_t size);

 private:
    void overwrite();

    std::byte* data_ = nullptr;
    size_t size_ = 0;
    size_t span_ = 0;  // whole pages that may be used
    void* base_ = nullptr;
    size_t mapped_ = 0;
    bool locked_ = false;
    bool read_only_ = false;
};

// Overwrites memory in a way the compiler may not remove.
void wipe(void* data, size_t size) noexcept;

uint64_t process_id();
int64_t unix_time();  // seconds since the epoch
uint64_t monotonic_ns();
uint64_t process_cpu_ns();
uint32_t effective_uid();
uint64_t peak_memory_bytes();      // of this process (VmHWM)
uint64_t resident_memory_bytes();  // of this process now (VmRSS); 0: unknown
bool reset_peak_memory();          // the peak starts again at what is resident; false where that is not possible
unsigned cpu_count();              // CPUs this process may use (affinity and cgroup quota)
uint64_t memory_limit();           // min(RAM, cgroup limit)
const char* environment(const char* name);  // nullptr when unset
// What the CPU has and the system saves the registers of (CPUID and XCR0). On other CPUs than x86 all are false.
struct CpuFeatures {
    bool sha = false;          // SHA, SSSE3, SSE4.1
    bool avx2 = false;         // AVX2, FMA, F16C, BMI1, BMI2, LZCNT, POPCNT
    bool avx512 = false;       // avx2 and AVX-512 F, BW, CD, DQ, VL
    bool avx512_vnni = false;  // avx512 and AVX-512 VNNI
    bool amx = false;          // AMX tile, int8 and bf16, AVX-512 BF16
};
const CpuFeatures& cpu_features();  // asked once: a virtual machine leaves for its host at each CPUID
// AMX is there, and the kernel granted this process the tile data (arch_prctl ARCH_REQ_XCOMP_PERM, asked once).
bool amx_permitted();
bool neon_dotprod();

}  // namespace coffer::os
