// What the kernel says this process has locked in memory; -1 under the sanitizers, which make munlock do nothing.
#pragma once

#include <fstream>
#include <string>

namespace coffer::test {

inline long locked_bytes() {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    return -1;
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
    return -1;
#endif
#endif
    std::ifstream status("/proc/self/status");
    for (std::string line; std::getline(status, line);) {
        if (line.starts_with("VmLck:")) return std::stol(line.substr(6)) * 1024;
    }
    return -1;
}

}  // namespace coffer::test
