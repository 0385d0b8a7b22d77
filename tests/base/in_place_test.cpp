#include "coffer/base/in_place.hpp"

#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <thread>

#include "catch.hpp"
#include "coffer/base/os.hpp"
#include "folder.hpp"

namespace coffer::os {
namespace {

namespace fs = std::filesystem;

using test::Folder;

TEST_CASE("a lock is held by one at a time, and leaves nothing") {
    const Folder folder;
    const std::string path = folder.write("model", "x");
    {
        const auto held = FileLock::acquire(path, 0);
        REQUIRE(held.ok());
        REQUIRE(fs::exists(folder / ".model.lock"));
        const auto second = FileLock::acquire(path, 10);
        REQUIRE_FALSE(second.ok());
        REQUIRE(second.error().code() == Code::kIo);
        REQUIRE(FileLock::acquire(folder / "other", 0).ok());
    }
    REQUIRE_FALSE(fs::exists(folder / ".model.lock"));
    REQUIRE(FileLock::acquire(path, 0).ok());
}

TEST_CASE("many who ask for a lock take turns") {
    const Folder folder;
    const std::string path = folder.write("model", "x");
    std::atomic<int> inside{0}, together{0}, done{0};
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; ++t) {
        threads.emplace_back([&] {
            for (int i = 0; i < 50; ++i) {
                const auto lock = FileLock::acquire(path, 60'000);
                if (!lock.ok()) return;
                if (++inside != 1) ++together;
                std::this_thread::yield();
                --inside;
                ++done;
            }
        });
    }
    for (std::thread& t : threads) t.join();
    REQUIRE(done == 200);
    REQUIRE(together == 0);
    REQUIRE_FALSE(fs::exists(folder / ".model.lock"));
}

TEST_CASE("a lock ends with its process, and what it leaves behind does not matter") {
    const Folder folder;
    const std::string path = folder.write("model", "x");
    const pid_t child = ::fork();
    if (child == 0) {
        const auto held = FileLock::acquire(path, 0);
        ::_exit(held.ok() ? 0 : 1);  // no destructor: as if killed
    }
    int status = -1;
    REQUIRE(::waitpid(child, &status, 0) == child);
    REQUIRE(status == 0);
    REQUIRE(fs::exists(folder / ".model.lock"));
    REQUIRE(FileLock::acquire(path, 0).ok());
    REQUIRE_FALSE(fs::exists(folder / ".model.lock"));
}

TEST_CASE("a file that is no lock is neither locked nor removed") {
    const Folder folder;
    const std::string path = folder.write("model", "x");
    folder.write(".model.lock", "somebody's");
    REQUIRE_FALSE(FileLock::acquire(path, 0).ok());
    REQUIRE(fs::file_size(folder / ".model.lock") == 10);
    fs::remove(folder / ".model.lock");
    fs::create_symlink("model", folder / ".model.lock");
    REQUIRE_FALSE(FileLock::acquire(path, 0).ok());
    fs::remove(folder / ".model.lock");
    REQUIRE(::mkfifo((folder / ".model.lock").c_str(), 0600) == 0);
    REQUIRE_FALSE(FileLock::acquire(path, 0).ok());
    REQUIRE_FALSE(FileLock::acquire(folder / "none/model", 0).ok());
}

TEST_CASE("links are resolved, and access rights carried over") {
    const Folder folder;
    const std::string path = folder.write("model", "x"), next = folder.write("next", "y");
    fs::create_symlink("model", folder / "link");
    REQUIRE(real_path(folder / "link").value() == real_path(path).value());
    REQUIRE_FALSE(real_path(folder / "none").ok());
    REQUIRE_FALSE(real_path(std::string("a\0b", 3)).ok());

    REQUIRE(::chmod(path.c_str(), 0624) == 0);
    const mode_t mask = ::umask(077);
    REQUIRE(copy_access(File::open_read(path).value(), next).ok());
    ::umask(mask);
    REQUIRE(File::open_read(next)->stat()->mode == 0624);
    REQUIRE_FALSE(copy_access(File::open_read(path).value(), folder / "link").ok());
    if (effective_uid() == 0) {
        REQUIRE(::chown(path.c_str(), 1, 2) == 0);
        REQUIRE(copy_access(File::open_read(path).value(), next).ok());
        struct stat info;
        REQUIRE(::stat(next.c_str(), &info) == 0);
        REQUIRE(info.st_uid == 1);
        REQUIRE(info.st_gid == 2);
    }
}

}  // namespace
}  // namespace coffer::os
