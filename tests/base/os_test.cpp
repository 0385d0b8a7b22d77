#include "coffer/base/os.hpp"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>

#include "catch.hpp"
#include "folder.hpp"
#include "locked.hpp"

namespace coffer::os {
namespace {

namespace fs = std::filesystem;

using test::Folder;
using test::locked_bytes;

std::string content(const std::string& path) {
    const auto bytes = read_file(path, 1 << 20);
    REQUIRE(bytes.ok());
    return std::string(as_text(*bytes));
}

// The exit code of `body` in a forked process, which may change its limits, user or fate; -1 if it was killed.
template <class Body>
int in_child(Body body) {
    const pid_t child = ::fork();
    if (child == 0) ::_exit(body());
    int status = 0;
    ::waitpid(child, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

TEST_CASE("files are read by position, and never short") {
    const Folder folder;
    const File file = File::open_read(folder.write("a", "0123456789")).value();
    REQUIRE(file.size() == 10);
    std::array<std::byte, 4> four;
    REQUIRE(file.read_at(6, four).ok());
    REQUIRE(as_text(four) == "6789");
    REQUIRE(file.read_at(0, four).ok());
    REQUIRE(as_text(four) == "0123");
    REQUIRE(file.read_at(10, {}).ok());
    REQUIRE(file.read_at(7, four).error().code() == Code::kIo);
    REQUIRE(file.read_at(1000, four).error().code() == Code::kIo);
    for (const uint64_t offset : {uint64_t{INT64_MAX}, UINT64_MAX - 4, UINT64_MAX}) {
        const Status refused = file.read_at(offset, four);
        REQUIRE(refused.error().code() == Code::kIo);
        REQUIRE(refused.error().message().find("out of range") != std::string::npos);
    }
    REQUIRE((::fcntl(file.fd(), F_GETFD) & FD_CLOEXEC) != 0);
    // Nothing lies at 0 in the memory of a process, which is a regular file.
    const Status failed = File::open_read("/proc/self/mem")->read_at(0, four);
    REQUIRE(failed.error().code() == Code::kIo);
    REQUIRE(failed.error().message().find("cannot read") != std::string::npos);
    // A file that shrinks under the reader is an error, not zeros.
    REQUIRE(::truncate((folder / "a").c_str(), 5) == 0);
    REQUIRE_FALSE(file.read_at(4, four).ok());
}

TEST_CASE("only regular files are opened") {
    const Folder folder;
    folder.write("a", "x");
    REQUIRE(::symlink("a", (folder / "link").c_str()) == 0);
    REQUIRE(File::open_read(folder / "link").ok());
    REQUIRE_FALSE(File::open_read(folder / "link", File::kNoFollow).ok());
    REQUIRE(File::open_read(folder / "a", File::kNoFollow).ok());
    REQUIRE(::mkfifo((folder / "fifo").c_str(), 0600) == 0);
    REQUIRE_FALSE(File::open_read(folder / "fifo").ok());  // and does not wait for a writer
    REQUIRE_FALSE(File::open_read(folder.path()).ok());
    REQUIRE_FALSE(File::open_read("/dev/null").ok());
    REQUIRE_FALSE(File::open_read(folder / "missing").ok());
    REQUIRE(File::open_read("").error().code() == Code::kInvalidArgument);
    REQUIRE(File::open_read((folder / "a") + std::string("\0b", 2)).error().code() == Code::kInvalidArgument);
}

TEST_CASE("read_file honours its limit") {
    const Folder folder;
    const std::string path = folder.write("a", "12345");
    REQUIRE(read_file(path, 5).value().size() == 5);
    REQUIRE(read_file(path, 4).error().code() == Code::kLimit);
    REQUIRE(read_file(folder.write("empty", ""), 0).value().empty());
}

TEST_CASE("an atomic file appears whole or not at all") {
    const Folder folder;
    const std::string path = folder.write("out", "old");
    {
        AtomicFile file = AtomicFile::create(path, 0600).value();
        REQUIRE(file.write(as_bytes("new ")).ok());
        REQUIRE(file.write(as_bytes("content")).ok());
        REQUIRE(file.write_at(0, as_bytes("N")).ok());
        REQUIRE(file.write(as_bytes("!")).ok());
        REQUIRE(content(path) == "old");
        REQUIRE(content(file.temporary_path()) == "New content!");
        REQUIRE(fs::path(file.temporary_path()).parent_path() == folder.path());
        REQUIRE(file.commit().ok());
        REQUIRE_FALSE(file.commit().ok());
    }
    REQUIRE(content(path) == "New content!");
    REQUIRE((fs::status(path).permissions() & fs::perms::mask) == fs::perms(0600));
    REQUIRE(folder.entries() == 1);
    {
        AtomicFile file = AtomicFile::create(path, 0600).value();
        AtomicFile moved = std::move(file);
        REQUIRE(moved.write(as_bytes("discarded")).ok());
    }
    REQUIRE(content(path) == "New content!");
    REQUIRE(folder.entries() == 1);
}

TEST_CASE("a write that fails leaves the old file and no temporary") {
    const Folder folder;
    const std::string path = folder.write("out", "old");
    const int code = in_child([&] {
        ::signal(SIGXFSZ, SIG_IGN);
        const rlimit limit{4096, 4096};  // like a full disk: a part of the write succeeds
        if (::setrlimit(RLIMIT_FSIZE, &limit) != 0) return 1;
        auto file = AtomicFile::create(path, 0600);
        if (!file.ok()) return 2;
        const std::string data(10000, 'x');
        const Status status = file->write(as_bytes(data));
        return !status.ok() && status.error().code() == Code::kIo ? 0 : 3;
    });
    REQUIRE(code == 0);
    REQUIRE(content(path) == "old");
    REQUIRE(folder.entries() == 1);
}

TEST_CASE("an atomic file is not created where it cannot replace") {
    const Folder folder;
    REQUIRE_FALSE(AtomicFile::create(folder / "missing/out", 0600).ok());
    REQUIRE_FALSE(AtomicFile::create(std::string(folder.path()) + "/", 0600).ok());
    REQUIRE_FALSE(AtomicFile::create(folder.path(), 0600).ok());
    REQUIRE_FALSE(AtomicFile::create("", 0600).ok());
    REQUIRE_FALSE(AtomicFile::create("/dev/null", 0600).ok());
    struct stat info;
    REQUIRE(::stat("/dev/null", &info) == 0);
    REQUIRE(S_ISCHR(info.st_mode));
    // A folder may take the place of the file meanwhile: rename fails, and the temporary goes.
    {
        AtomicFile file = AtomicFile::create(folder / "late", 0600).value();
        REQUIRE(::mkdir((folder / "late").c_str(), 0700) == 0);
        REQUIRE(file.commit().error().code() == Code::kIo);
    }
    REQUIRE(folder.entries() == 1);
    REQUIRE(in_child([&] {
                if (::geteuid() == 0 && (::setgid(65534) != 0 || ::setuid(65534) != 0)) return 1;
                return AtomicFile::create(folder / "denied", 0600).ok() && ::geteuid() == 65534 ? 2 : 0;
            }) == 0);
}

TEST_CASE("commit_new never replaces") {
    const Folder folder;
    {
        AtomicFile first = AtomicFile::create(folder / "new", 0600).value();
        AtomicFile second = AtomicFile::create(folder / "new", 0600).value();
        REQUIRE(first.write(as_bytes("1")).ok());
        REQUIRE(first.commit_new().ok());
        REQUIRE(second.commit_new().error().code() == Code::kIo);
    }
    REQUIRE(content(folder / "new") == "1");
    REQUIRE(folder.entries() == 1);
}

TEST_CASE("parts of a file are copied as they are") {
    const Folder folder;
    std::string data(3'000'000, ' ');
    for (size_t i = 0; i < data.size(); ++i) data[i] = static_cast<char>(i * 2654435761u >> 24);
    const File source = File::open_read(folder.write("source", data)).value();
    AtomicFile file = AtomicFile::create(folder / "copy", 0600).value();
    REQUIRE(file.write(as_bytes("head")).ok());
    REQUIRE(file.copy_from(source, 1000, data.size() - 1000).ok());
    REQUIRE(file.copy_from(source, data.size(), 0).ok());
    REQUIRE(file.write(as_bytes("tail")).ok());
    REQUIRE_FALSE(file.copy_from(source, 1, data.size()).ok());
    REQUIRE_FALSE(file.copy_from(source, UINT64_MAX, 2).ok());
    REQUIRE(file.commit().ok());
    const auto copy = read_file(folder / "copy", 1 << 23).value();
    REQUIRE(as_text(copy) == "head" + data.substr(1000) + "tail");
}

TEST_CASE("a signal handler can remove the temporaries of its own process") {
    const Folder folder;
    AtomicFile ours = AtomicFile::create(folder / "ours", 0600).value();
    REQUIRE(in_child([&] {
                AtomicFile theirs = AtomicFile::create(folder / "theirs", 0600).value();
                if (folder.entries() != 2) return 1;
                remove_temporaries();
                return folder.entries() == 1 ? 0 : 2;
            }) == 0);
    REQUIRE(folder.entries() == 1);
    REQUIRE(ours.commit().ok());
    {
        AtomicFile gone = AtomicFile::create(folder / "gone", 0600).value();
        remove_temporaries();
        REQUIRE(folder.entries() == 1);
        REQUIRE_FALSE(gone.commit().ok());
    }
    // The table is not used up by files that are finished.
    for (int i = 0; i < 200; ++i) REQUIRE(AtomicFile::create(folder / "many", 0600).ok());
    std::vector<AtomicFile> open;
    Code refusal = Code::kOk;
    while (refusal == Code::kOk && open.size() < 1000) {
        auto next = AtomicFile::create(folder / "many", 0600);
        if (next.ok()) {
            open.push_back(std::move(next).value());
        } else {
            refusal = next.error().code();
        }
    }
    REQUIRE(refusal == Code::kLimit);
    REQUIRE(open.size() >= 32);
    open.clear();
    REQUIRE(folder.entries() == 1);
}

// Lines of /proc/self/smaps for the mapping that holds `address`.
std::string mapping_of(const void* address) {
    std::ifstream maps("/proc/self/smaps");
    std::string line, found;
    bool inside = false;
    while (std::getline(maps, line)) {
        uintptr_t from = 0, to = 0;
        if (std::sscanf(line.c_str(), "%lx-%lx ", &from, &to) == 2) {
            inside = reinterpret_cast<uintptr_t>(address) >= from && reinterpret_cast<uintptr_t>(address) < to;
        }
        if (inside) found += line + "\n";
    }
    return found;
}

TEST_CASE("pages are zeroed, aligned and kept out of core dumps") {
    for (size_t size : {size_t{1}, size_t{4096}, size_t{5000}, size_t{5} << 20}) {
        for (unsigned flags = 0; flags < 16; ++flags) {
            Pages pages = Pages::allocate(size, flags).value();
            REQUIRE(pages.size() == size);
            REQUIRE(reinterpret_cast<uintptr_t>(pages.data()) % 4096 == 0);
            if ((flags & Pages::kHuge) && size >= size_t{2} << 20) {
                REQUIRE(reinterpret_cast<uintptr_t>(pages.data()) % (size_t{2} << 20) == 0);
            }
            REQUIRE(std::all_of(pages.data(), pages.data() + size, [](std::byte b) { return b == std::byte{0}; }));
            std::memset(pages.data(), 0xff, size);
        }
    }
    const Pages pages = Pages::allocate(100, Pages::kPlain).value();
    const std::string smaps = mapping_of(pages.data());
    REQUIRE(smaps.find(" dd") != smaps.npos);
    REQUIRE(Pages::allocate(0, Pages::kGuard).value().data() != nullptr);
    REQUIRE(Pages::allocate(SIZE_MAX, Pages::kPlain).error().code() == Code::kOutOfMemory);
    REQUIRE(Pages::allocate(SIZE_MAX / 2, Pages::kGuard | Pages::kHuge).error().code() == Code::kOutOfMemory);
}

TEST_CASE("pages that are there anyway can be used to their end") {
    constexpr size_t kHugePage = size_t{2} << 20, kQuarter = kHugePage / 4;
    const auto whole = [](size_t size, unsigned flags) {
        Pages pages = Pages::allocate(size, flags | Pages::kWhole).value();
        std::memset(pages.data(), 0xff, pages.size());
        return pages.size();
    };
    CHECK(whole(1, Pages::kPlain) == 4096);
    CHECK(whole(4097, Pages::kGuard) == 8192);
    // A last huge page is made whole from a quarter on, but for locked ones, which must not take more than they need.
    CHECK(whole(kHugePage + kQuarter - 4096, Pages::kHuge) == kHugePage + kQuarter - 4096);
    CHECK(whole(kHugePage + kQuarter, Pages::kHuge) == 2 * kHugePage);
    CHECK(whole(kQuarter, Pages::kHuge) == kHugePage);
    CHECK(Pages::allocate(kQuarter, Pages::kHuge).value().size() == kQuarter);
    CHECK(whole(kQuarter, Pages::kHuge | Pages::kLock) == kQuarter);
}

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define COFFER_TEST_SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define COFFER_TEST_SANITIZED 1
#endif
#endif

#ifndef COFFER_TEST_SANITIZED  // the sanitizers replace mlock by nothing, which always succeeds
TEST_CASE("whether a lock was granted is reported") {
    REQUIRE(in_child([] {
                const rlimit none{0, 0};
                if (::setrlimit(RLIMIT_MEMLOCK, &none) != 0) return 1;
                if (::geteuid() == 0 && (::setgid(65534) != 0 || ::setuid(65534) != 0)) return 2;
                const auto pages = Pages::allocate(4096, Pages::kLock);
                return pages.ok() && !pages->locked() ? 0 : 3;
            }) == 0);
    REQUIRE_FALSE(Pages::allocate(4096, Pages::kPlain).value().locked());
}
#endif

TEST_CASE("locked pages are there once they are touched") {
    constexpr size_t kPages = 16;
    const Pages pages = Pages::allocate(kPages * 4096, Pages::kLock).value();
    if (!pages.locked()) {
        WARN("skipped: no memory may be locked");
        return;
    }
    const auto resident = [&] {
        unsigned char pages_there[kPages];
        REQUIRE(::mincore(pages.data(), kPages * 4096, pages_there) == 0);
        return std::ranges::count_if(pages_there, [](unsigned char there) { return there & 1; });
    };
    CHECK(resident() == 0);
    pages.data()[4096] = std::byte{1};
    CHECK(resident() == 1);
}

TEST_CASE("pages that were given back are zeros, and not locked any more") {
    constexpr long kSize = 4 * 4096;
    const long before = locked_bytes();
    Pages pages = Pages::allocate(kSize, Pages::kLock).value();
    if (!pages.locked() || locked_bytes() == before) {
        WARN("skipped: no memory may be locked");
        return;
    }
    std::memset(pages.data(), 0x5a, kSize);
    pages.protect_read_only();
    CHECK(locked_bytes() == before + kSize);
    pages.discard(4096, 2 * 4096);
    CHECK(locked_bytes() == before + kSize / 2);
    CHECK(pages.data()[4096] == std::byte{0});
}

TEST_CASE("cleared pages are zeros and can be written to, read-only and locked ones too") {
    for (unsigned flags : {Pages::kPlain, Pages::kLock}) {
        Pages pages = Pages::allocate(3 * 4096, flags).value();
        std::memset(pages.data(), 0x5a, pages.size());
        pages.protect_read_only();
        pages.clear();
        CHECK(std::all_of(pages.data(), pages.data() + pages.size(), [](std::byte b) { return b == std::byte{0}; }));
        pages.data()[0] = std::byte{1};
    }
}

TEST_CASE("guard pages and read-only pages stop stray accesses") {
    const auto killed = [](auto body) {
        return in_child([&] {
                   ::signal(SIGSEGV, [](int) { ::_exit(77); });
                   body();
                   return 0;
               }) == 77;
    };
    Pages pages = Pages::allocate(4096, Pages::kGuard).value();
    volatile std::byte* data = pages.data();
    REQUIRE(killed([&] { data[4096] = std::byte{1}; }));
    REQUIRE(killed([&] { (void)data[-1]; }));
    data[5] = std::byte{5};
    pages.protect_read_only();
    REQUIRE(data[5] == std::byte{5});
    REQUIRE(killed([&] { data[5] = std::byte{1}; }));
    Pages moved = std::move(pages);
    REQUIRE(moved.data() == data);
    REQUIRE(pages.data() == nullptr);
}

TEST_CASE("a child sees zeros where it was asked for, and a copy elsewhere") {
    Pages secret = Pages::allocate(4096, Pages::kWipeOnFork).value();
    Pages weights = Pages::allocate(4096, Pages::kPlain).value();
    secret.data()[0] = weights.data()[0] = std::byte{7};
    REQUIRE(in_child([&] {
                const volatile std::byte* s = secret.data();
                return s[0] == std::byte{0} && weights.data()[0] == std::byte{7} ? 0 : 1;
            }) == 0);
}

TEST_CASE("discard wipes whole pages of the range and no others") {
    for (bool read_only : {false, true}) {
        const size_t size = 5 * 4096 + 100;
        Pages pages = Pages::allocate(size, Pages::kPlain).value();
        std::memset(pages.data(), 0x5a, size);
        if (read_only) pages.protect_read_only();
        const auto page_is = [&](size_t i, int value) {
            const std::byte* from = pages.data() + i * 4096;
            const size_t n = std::min<size_t>(4096, size - i * 4096);
            return std::all_of(from, from + n, [&](std::byte b) { return b == std::byte(value); });
        };
        pages.discard(100, 2 * 4096 + 200);  // pages 1 is whole, 0 and 2 are not
        REQUIRE(page_is(0, 0x5a));
        REQUIRE(page_is(1, 0));
        REQUIRE(page_is(2, 0x5a));
        pages.discard(4 * 4096, size - 4 * 4096);
        REQUIRE(page_is(3, 0x5a));
        REQUIRE(page_is(4, 0));
        REQUIRE(page_is(5, 0));
        pages.discard(0, 10);
        pages.discard(SIZE_MAX, 10);
        REQUIRE(page_is(0, 0x5a));
    }
}

TEST_CASE("wipe overwrites") {
    std::array<std::byte, 33> bytes;
    bytes.fill(std::byte{1});
    wipe(bytes.data(), 32);
    REQUIRE(std::all_of(bytes.begin(), bytes.end() - 1, [](std::byte b) { return b == std::byte{0}; }));
    REQUIRE(bytes[32] == std::byte{1});
    wipe(nullptr, 0);
}

TEST_CASE("clocks advance and limits are plausible") {
    REQUIRE(unix_time() > 1'600'000'000);
    const uint64_t t = monotonic_ns(), cpu = process_cpu_ns();
    // Some kernels count a process's time in ticks.
    while (process_cpu_ns() == cpu && monotonic_ns() - t < 2'000'000'000) {
    }
    REQUIRE(monotonic_ns() > t);
    REQUIRE(process_cpu_ns() > cpu);
    REQUIRE(memory_limit() >= uint64_t{64} << 20);
    REQUIRE(memory_limit() <= uint64_t{1} << 50);
    REQUIRE(effective_uid() == ::geteuid());
    REQUIRE(environment("COFFER_SURELY_UNSET") == nullptr);

    const uint64_t before = peak_memory_bytes();
    REQUIRE(before > 0);
    {
        const Pages pages = Pages::allocate(size_t{64} << 20, Pages::kPlain).value();
        std::memset(pages.data(), 1, pages.size());
    }
    REQUIRE(peak_memory_bytes() >= size_t{64} << 20);
}

TEST_CASE("the CPU count follows the affinity of the process") {
    const unsigned count = cpu_count();
    REQUIRE(count >= 1);
    REQUIRE(in_child([] {
                cpu_set_t all, one;
                if (::sched_getaffinity(0, sizeof all, &all) != 0) return 1;
                CPU_ZERO(&one);
                for (size_t i = 0; i < CPU_SETSIZE; ++i) {
                    if (!CPU_ISSET(i, &all)) continue;
                    CPU_SET(i, &one);
                    break;
                }
                if (::sched_setaffinity(0, sizeof one, &one) != 0) return 2;
                return cpu_count() == 1 ? 0 : 3;
            }) == 0);
}

TEST_CASE("a descriptor is read to its end or until the buffer is full") {
    int pipe[2];
    REQUIRE(::pipe(pipe) == 0);
    REQUIRE(::write(pipe[1], "abcdef", 6) == 6);
    std::array<std::byte, 4> buffer;
    REQUIRE(read_fd(pipe[0], buffer).value() == 4);
    REQUIRE(as_text(buffer) == "abcd");
    ::close(pipe[1]);
    REQUIRE(read_fd(pipe[0], buffer).value() == 2);
    REQUIRE(read_fd(pipe[0], buffer).value() == 0);
    ::close(pipe[0]);
    REQUIRE_FALSE(read_fd(pipe[0], buffer).ok());
}

}  // namespace
}  // namespace coffer::os
