// What a gather along one axis is, for the planner and for the kernel in gather.hpp.
#pragma once

#include <cstdint>

namespace coffer::kernels {

struct GatherRowsParams {
    int64_t dim;        // of the axis gathered from
    int64_t count;      // indices
    int64_t rows;       // outer x count: rows of the output
    int64_t row_bytes;  // one row: what lies behind the axis
    int64_t group;      // rows in one unit
    bool wide_indices;  // int64, else int32
};

}  // namespace coffer::kernels
