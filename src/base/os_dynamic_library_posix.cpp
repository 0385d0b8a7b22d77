#if defined(__unix__) || defined(__APPLE__)

#include <dlfcn.h>

#include "coffer/base/dynamic_library.hpp"

namespace coffer::os {

Result<DynamicLibrary> DynamicLibrary::load(const std::string& path) {
    if (!path.starts_with('/') || path.find('\0') != path.npos) {
        return error(Code::kInvalidArgument, "library '", path, "' is not named by its absolute path");
    }
    if (void* handle = ::dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL)) return DynamicLibrary(handle);
    const char* why = ::dlerror();
    return error(Code::kIo, Detail::kIo, "cannot load '", path, "': ", why ? why : "no reason given");
}

void* DynamicLibrary::symbol(const char* name) const {
    return ::dlsym(handle_, name);
}

}  // namespace coffer::os

#endif
