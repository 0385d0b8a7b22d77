// Running another program for one question: bytes in, bytes out, a time limit. No shell, no search in PATH, and
// nothing of ours reaches it but its arguments and its three standard descriptors.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "coffer/base/bytes.hpp"
#include "coffer/base/error.hpp"

namespace coffer::os {

struct Program {
    std::vector<std::string> argv;  // argv[0]: absolute path of the program
    uint32_t timeout_ms = 0;
};

struct Ran {
    int exit_code = 0;  // 128 + signal when it was killed by one
    size_t output_size = 0;
    std::string last_words;  // the last line it wrote to stderr, printable ASCII, cut
};

// Writes `input` to the program's standard input, closes it, and reads standard output into `output`. The program
// runs in a process group of its own with default signals and the environment LC_ALL=C alone. When it takes longer
// than the time-out, or writes more than `output` holds, the group is killed and the error (Code::kIo) says so.
// Thread-safe. A program that ends without reading its input is no error.
Result<Ran> run_program(const Program& program, Bytes input, MutableBytes output);

}  // namespace coffer::os
