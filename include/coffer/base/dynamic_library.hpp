// A shared library loaded while the program runs: the drivers of tokens come as such. Stays loaded until the process
// ends, because few of them survive being unloaded.
#pragma once

#include <string>

#include "coffer/base/error.hpp"

namespace coffer::os {

class DynamicLibrary {
 public:
    // By absolute path: nothing is searched for.
    static Result<DynamicLibrary> load(const std::string& path);
    void* symbol(const char* name) const;  // nullptr: it has none of this name

 private:
    explicit DynamicLibrary(void* handle) : handle_(handle) {}
    void* handle_;
};

}  // namespace coffer::os
