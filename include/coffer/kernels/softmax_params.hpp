// What a planner needs to know about the kernel of softmax.hpp.
#pragma once

#include "coffer/kernels/arch.hpp"

namespace coffer::kernels {

inline constexpr size_t kSoftmaxUnit = 4096;   // elements of a unit, about
inline constexpr size_t kSoftmaxColumns = 64;  // lines that lie side by side and are done together

// outer x n x inner, the softmax being over n.
struct SoftmaxParams {
    size_t outer = 1, n = 1, inner = 1;
    bool log = false;

    size_t blocks() const { return (inner + kSoftmaxColumns - 1) / kSoftmaxColumns; }
    size_t items() const { return outer * blocks(); }
    size_t items_per_unit() const {
        const size_t size = n * (inner < kSoftmaxColumns ? inner : kSoftmaxColumns);
        return size >= kSoftmaxUnit ? 1 : kSoftmaxUnit / size;
    }
    size_t units() const { return (items() + items_per_unit() - 1) / items_per_unit(); }
};

// Operands: src, dst (may be the same memory). float32.
template <class Arch>
bool softmax_f32(const void* params, void* const* operands, size_t begin, size_t end);

}  // namespace coffer::kernels
