// Values of the host for Linux.
#if defined(__linux__)

#include <fcntl.h>
#include <unistd.h>

#include <array>

#include "coffer/base/host.hpp"
#include "coffer/base/os.hpp"

namespace coffer::os {
namespace {

// The files of /proc and /sys say nothing true of their size: read what fits.
std::optional<std::string> read_line(const char* path) {
    const int fd = ::open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (fd < 0) return std::nullopt;
    std::array<std::byte, 1024> buffer;
    const auto n = read_fd(fd, buffer);
    ::close(fd);
    if (!n.ok() || *n == 0 || *n == buffer.size()) return std::nullopt;
    return std::string(as_text(Bytes(buffer.data(), *n)));
}

}  // namespace

std::optional<std::string> host_value(std::string_view kind) {
    if (kind == "machine-id") {
        auto id = read_line("/etc/machine-id");
        return id ? id : read_line("/var/lib/dbus/machine-id");
    }
    if (kind == "product-uuid") return read_line("/sys/class/dmi/id/product_uuid");  // root alone may read it
    if (kind == "board-serial") return read_line("/sys/class/dmi/id/board_serial");  // and this
    if (kind == "hostname") return read_line("/proc/sys/kernel/hostname");
    return std::nullopt;
}

}  // namespace coffer::os

#endif  // __linux__
