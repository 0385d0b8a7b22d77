// Parameters of qgemm_nbits.hpp.
#pragma once

#include <cstddef>
#include <cstdint>

namespace coffer::kernels {

inline constexpr size_t kNBitsColumns = 16;  // of a unit

struct NBitsParams {
    size_t m, n, k;
    size_t blocks, block;  // of one column; blocks * block >= k
    size_t bits;           // 4 or 8
};

}  // namespace coffer::kernels
