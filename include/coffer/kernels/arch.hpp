// Arch structs: one per row of cmake/arch.cmake. A kernel is a template on one of these. An arch struct holds
// an xsimd tag (the vector width) and feature flags for what xsimd 8.1 has no tag for.
//
// Rules for everything included into arch.cpp: no std:: containers or algorithms, no static initialisers, no
// symbol that does not carry Arch (or internal linkage) in its name; tests/kernels checks the symbols.
#pragma once

#include <cstddef>
#include <cstdint>

namespace coffer::kernels {

// A kernel: works on units [begin, end) of the step it was planned for. `params` is what the planner stored,
// `operands` are the node's inputs, then outputs, then workspaces, as planned. Does not allocate, lock, throw
// or log. Returns false when the *values* are bad (an index out of range); the caller then runs the
// reference to get the error in words. Units never depend on the number of threads.
using KernelFn = bool (*)(const void* params, void* const* operands, size_t begin, size_t end);

// The kernels of one op on one row, by slot; nullptr where the row has none of its own.
struct KernelList {
    const KernelFn* slots = nullptr;
    size_t count = 0;
};

// Instruction sets in the order of preference; the numbers index tables.
enum class ArchId : uint8_t { kBaseline = 0, kAvx2, kAvx512, kAvx512Vnni, kAmx, kNeonDotprod, kCount };

}  // namespace coffer::kernels
