// What changing a file in place needs of the system besides os::AtomicFile: the file behind a link, a lock
// against a second writer, and access rights carried over. It knows nothing of what the file holds.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "coffer/base/error.hpp"

namespace coffer::os {

class File;

// The file that `path` leads to through symbolic links: it is replaced, not the link.
Result<std::string> real_path(const std::string& path);

// Gives the file `to` the mode of `from` and, as far as this process may, its owner and group. A group that
// cannot be kept gets no access.
Status copy_access(const File& from, const std::string& to);

// Lets one writer at a time change `path`, among those that ask. The lock is the kernel's, on an empty file
// `.NAME.lock` in the same folder, so that it ends with the process that holds it. The file is removed on release;
// one that a killed process left holds nobody up.
class FileLock {
 public:
    // Waits for another holder at most `wait_ms`.
    static Result<FileLock> acquire(const std::string& path, uint64_t wait_ms);
    FileLock(FileLock&&) noexcept;
    FileLock& operator=(FileLock&&) = delete;
    ~FileLock();

 private:
    struct State;
    explicit FileLock(std::unique_ptr<State> state);
    std::unique_ptr<State> state_;
};

}  // namespace coffer::os
