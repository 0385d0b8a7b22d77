// What a resize along two axes is, for the planner and for the kernels in resize.hpp.
#pragma once

#include <cstddef>
#include <cstdint>

namespace coffer::kernels {

// Where one output place of an axis comes from: the weighted sum of two input places, or `at[0]` for nearest.
// A place that is exactly one element has it twice with half the weight each, so that no other element, be it
// infinite or NaN, takes part.
struct ResizeTap {
    int32_t at[2];
    float weight[2];
};

// src and dst are outer x rows x columns x run in memory order.
struct ResizeParams {
    size_t in_rows, out_rows, in_columns, out_columns;
    size_t run;                     // neighbours that move together: elements (linear), bytes (nearest)
    const ResizeTap *row, *column;  // one per output place; `at` never decreases
};

// Operands: src, dst, which do not overlap. Unit: one row of output.
template <class Arch>
bool resize_linear_f32(const void* params, void* const* operands, size_t begin, size_t end);
template <class Arch>
bool resize_nearest(const void* params, void* const* operands, size_t begin, size_t end);

}  // namespace coffer::kernels
