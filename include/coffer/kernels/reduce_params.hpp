// What a planner needs to know about the kernels of reduce.hpp.
#pragma once

#include "coffer/kernels/arch.hpp"

namespace coffer::kernels {

inline constexpr int kReduceAxes = 8;
inline constexpr size_t kReduceColumns = 256;  // a unit covers at most this many columns
inline constexpr size_t kReduceUnit = 16384;   // elements read by a unit, about

// Axes that are next to each other and of one kind are merged; the innermost one apart, the others listed from
// the inside out, with strides into the input. The result lies in the order of the kept axes.
struct ReduceParams {
    size_t inner = 1;
    bool inner_reduced = false;
    int kept_rank = 0, reduced_rank = 0;
    size_t kept_dims[kReduceAxes] = {}, kept_strides[kReduceAxes] = {};
    size_t reduced_dims[kReduceAxes] = {}, reduced_strides[kReduceAxes] = {};
    size_t kept = 1, reduced = 1;  // products
    float scale = 1;               // applied to the result
    bool square_root = false;

    // An item is one result, or a run of up to kReduceColumns results.
    size_t blocks() const { return inner_reduced ? 1 : (inner + kReduceColumns - 1) / kReduceColumns; }
    size_t items() const { return kept * blocks(); }
    size_t items_per_unit() const {
        const size_t run = inner < kReduceColumns ? inner : kReduceColumns;
        const size_t reads = reduced * (inner_reduced ? inner : run);
        return reads >= kReduceUnit ? 1 : kReduceUnit / reads;
    }
    size_t units() const { return (items() + items_per_unit() - 1) / items_per_unit(); }
};

struct SumOf;
struct SumOfMagnitudes;
struct SumOfSquares;
struct Largest;
struct Smallest;

// Operands: src, dst. float32.
template <class Arch, class Policy>
bool reduce_f32(const void* params, void* const* operands, size_t begin, size_t end);

}  // namespace coffer::kernels
