// A fuzz target is one file <name>_fuzz.cpp with
//
//   COFFER_FUZZ_TARGET(name) { ... uses `data` ... }
//
// With libFuzzer (preset `fuzz`) it becomes a program of its own; in every other build it is a function that
// replay.cpp calls on the seeds and on the findings kept in regressions/<name>/. A finding is an abort: a
// sanitizer's, the library's, or expect() of a property that must hold.
#pragma once

#include <cstdint>
#include <cstdio>
#include <cstdlib>

#include "coffer/base/bytes.hpp"

#define COFFER_FUZZ_CAT_(a, b) a##b
#ifdef COFFER_LIBFUZZER
#define COFFER_FUZZ_TARGET(name)                                                          \
    static void COFFER_FUZZ_CAT_(fuzz_, name)(coffer::Bytes data);                        \
    extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size) {            \
        COFFER_FUZZ_CAT_(fuzz_, name)({reinterpret_cast<const std::byte*>(bytes), size}); \
        return 0;                                                                         \
    }                                                                                     \
    static void COFFER_FUZZ_CAT_(fuzz_, name)([[maybe_unused]] coffer::Bytes data)
#else
#define COFFER_FUZZ_TARGET(name)                            \
    void COFFER_FUZZ_CAT_(fuzz_, name)(coffer::Bytes data); \
    void COFFER_FUZZ_CAT_(fuzz_, name)([[maybe_unused]] coffer::Bytes data)
#endif

namespace coffer::fuzz {

inline void expect(bool property, const char* what) {
    if (property) return;
    std::fprintf(stderr, "does not hold: %s\n", what);
    std::abort();
}

// Reads every byte.
inline void touch(Bytes bytes) {
    for (const std::byte& b : bytes) (void)*static_cast<const volatile std::byte*>(&b);
}

}  // namespace coffer::fuzz
