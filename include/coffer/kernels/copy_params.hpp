// What a strided copy is, for the planner and for the kernel in copy.hpp.
#pragma once

#include <cstddef>
#include <cstdint>

namespace coffer::kernels {

// A box of equal elements copied from one set of byte strides to another. Loops are outermost first; the last
// two form the plane that one call of an inner loop copies: n1 x n0.
struct CopyParams {
    static constexpr int kMaxLoops = 18;
    static constexpr int64_t kWholeBytes = 65536;  // of one unit of a kWhole copy
    enum Kind : uint8_t {
        kWhole,      // one contiguous run: n0 bytes
        kRun,        // n0 elements contiguous on both sides
        kTranspose,  // n0 contiguous in dst, n1 contiguous in src
        kStrided,    // anything else; a src stride of 0 broadcasts
    };
    Kind kind;
    uint8_t element;  // bytes: 1, 2, 4, 8, 16
    int rank;         // >= 2
    int64_t size[kMaxLoops], src[kMaxLoops], dst[kMaxLoops];
    int64_t src_offset, dst_offset;
    int64_t chunk;  // rows of n1 copied by one call of the inner loop
    int64_t rows;   // calls: product of the outer loops x ceil(n1 / chunk)
    int64_t group;  // calls in one unit
    int64_t units;
};

}  // namespace coffer::kernels
