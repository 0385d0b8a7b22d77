// What the kernel says this process has locked in memory.
#pragma once

#include <fstream>
#include <string>

namespace coffer::test {

inline long locked_bytes() {
    std::ifstream status("/proc/self/status");
    for (std::string line; std::getline(status, line);) {
        if (line.starts_with("VmLck:")) return std::stol(line.substr(6)) * 1024;
    }
    return -1;
}

}  // namespace coffer::test
