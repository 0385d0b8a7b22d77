// File::open_beneath for Linux: one openat per component, none of which may be a symbolic link, so that a
// name from a file cannot leave the folder, not even while somebody else renames things.
#if defined(__linux__)

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <string_view>
#include <vector>

#include "base/os_common_linux.hpp"
#include "coffer/base/os.hpp"

namespace coffer::os {
namespace {

Error refused(std::string_view relative, std::string_view reason) {
    return error(Code::kFormat, Detail::kFormat, "file name '", relative, "' ", reason);
}

Result<std::vector<std::string>> split(std::string_view relative) {
    if (relative.empty()) return refused(relative, "is empty");
    if (relative.front() == '/') return refused(relative, "is absolute");
    if (relative.find('\0') != std::string_view::npos) return refused(relative, "has a NUL");
    std::vector<std::string> parts;
    for (size_t from = 0; from <= relative.size();) {
        const size_t to = std::min(relative.find('/', from), relative.size());
        const std::string_view part = relative.substr(from, to - from);
        if (part.empty()) return refused(relative, "has an empty component");
        if (part == "..") return refused(relative, "leads out of its folder");
        if (part != ".") parts.emplace_back(part);
        from = to + 1;
    }
    if (parts.empty()) return refused(relative, "names a folder");
    return parts;
}

Descriptor open_in(int folder, const char* name, int flags) {
    return Descriptor(retry([&] { return ::openat(folder, name, flags | O_CLOEXEC); }));
}

}  // namespace

Result<File> File::open_beneath(const std::string& folder, const std::string& relative) {
    COFFER_TRY_ASSIGN(const std::vector<std::string> parts, split(relative));
    const std::string path = folder.empty() ? relative : folder + "/" + relative;
    const auto failed = [&](int code) {
        if (code == ELOOP || code == ENOTDIR) return refused(relative, "goes through a symbolic link or a file");
        return io_error("cannot open", path, code);
    };
    Descriptor at = open_in(AT_FDCWD, folder.empty() ? "." : folder.c_str(), O_RDONLY | O_DIRECTORY);
    for (size_t i = 0; i < parts.size() && at.valid(); ++i) {
        const bool last = i + 1 == parts.size();
        const int kind = last ? O_NONBLOCK : O_DIRECTORY;
        at = open_in(at.get(), parts[i].c_str(), O_RDONLY | O_NOFOLLOW | kind);
    }
    if (!at.valid()) return failed(errno);
    struct stat info;
    if (::fstat(at.get(), &info) != 0) return failed(errno);
    if (!S_ISREG(info.st_mode)) return refused(relative, "is not a regular file");
    return File(at.release(), static_cast<uint64_t>(info.st_size), path);
}

}  // namespace coffer::os

#endif
