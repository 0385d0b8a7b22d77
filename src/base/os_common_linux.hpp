// What the Linux files of the OS layer share.
#pragma once

#include <unistd.h>

#include <cerrno>
#include <string_view>
#include <system_error>
#include <utility>

#include "coffer/base/error.hpp"

namespace coffer::os {

inline Error io_error(const char* action, std::string_view path, int code) {
    if (code == ENOMEM) return error(Code::kOutOfMemory, action, " '", path, "': out of memory");
    const Code group = code == ENOENT ? Code::kNotFound : Code::kIo;
    return error(group, Detail::kIo, action, " '", path, "': ", std::system_category().message(code));
}

// A system call that no signal ends early.
template <class Call>
auto retry(Call call) {
    auto result = call();
    while (result < 0 && errno == EINTR) result = call();
    return result;
}

// A file descriptor that is closed with its owner.
class Descriptor {
 public:
    explicit Descriptor(int fd = -1) : fd_(fd) {}
    Descriptor(Descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
    Descriptor& operator=(Descriptor&& other) noexcept {
        std::swap(fd_, other.fd_);
        return *this;
    }
    ~Descriptor() { close(); }
    void close() {
        if (fd_ >= 0) ::close(fd_);
        fd_ = -1;
    }
    int get() const { return fd_; }
    bool valid() const { return fd_ >= 0; }
    int release() { return std::exchange(fd_, -1); }

 private:
    int fd_;
};

}  // namespace coffer::os
