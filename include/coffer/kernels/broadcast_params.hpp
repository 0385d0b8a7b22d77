// What a planner needs to know about the kernels of broadcast.hpp: NumPy broadcasting of up to three operands,
// collapsed to as few loops as their shapes allow.
#pragma once

#include "coffer/kernels/arch.hpp"

namespace coffer::kernels {

inline constexpr int kBroadcastInputs = 3;
inline constexpr int kBroadcastAxes = 7;         // besides the innermost one
inline constexpr size_t kBroadcastBlock = 4096;  // elements of a unit, about
inline constexpr size_t kStagedInner = 16;       // shorter rows are gathered into longer ones first

// The innermost axis is contiguous in each operand, or the operand has one element there (step 0).
struct BroadcastParams {
    int inputs = 0;
    size_t bytes[kBroadcastInputs] = {};  // element sizes
    size_t out_bytes = 0;
    size_t inner = 1;
    size_t step[kBroadcastInputs] = {};  // along the innermost axis: 0 or 1
    int rank = 0;                        // of the outer axes, the innermost of them first
    size_t dims[kBroadcastAxes] = {};
    size_t stride[kBroadcastInputs][kBroadcastAxes] = {};  // in elements
    bool dense[kBroadcastInputs] = {};                     // walks memory like the output
    size_t rows = 1;                                       // product of dims

    bool staged() const { return rows > 1 && inner < kStagedInner; }
    size_t blocks_per_row() const { return (inner + kBroadcastBlock - 1) / kBroadcastBlock; }
    size_t rows_per_unit() const { return inner >= kBroadcastBlock ? 1 : kBroadcastBlock / inner; }
    size_t units() const {
        if (staged()) return (rows * inner + kBroadcastBlock - 1) / kBroadcastBlock;
        if (inner > kBroadcastBlock) return rows * blocks_per_row();
        return (rows + rows_per_unit() - 1) / rows_per_unit();
    }
};

// Operands of all: the inputs, then the output.
// dst = Op::simd(a, b) on batches of T; the output may share the memory of an input of its shape.
template <class Arch, class Op, class T>
bool binary_simd(const void* params, void* const* operands, size_t begin, size_t end);
// dst = Op::apply(a, b), T x T -> R, in loops that the compiler vectorizes. Never in place.
template <class Arch, class Op, class T, class R>
bool binary_loop(const void* params, void* const* operands, size_t begin, size_t end);
// dst = a to the power b, float32; quick for one exponent of 2, 3, 1/2 or -1.
template <class Arch>
bool pow_f32(const void* params, void* const* operands, size_t begin, size_t end);
// dst = condition ? a : b, on elements that are as wide as T.
template <class Arch, class T>
bool select_loop(const void* params, void* const* operands, size_t begin, size_t end);

}  // namespace coffer::kernels
