// Rows by index: embeddings and other gathers along one axis, for elements of whole bytes. Only arch.cpp
// includes this file.
#pragma once

#include "coffer/kernels/arch.hpp"
#include "coffer/kernels/gather_params.hpp"

namespace coffer::kernels {

// operands: data, indices, dst. False when an index lies outside its axis.
template <class Arch>
bool gather_rows(const void* params, void* const* operands, size_t begin, size_t end) {
    const auto& p = *static_cast<const GatherRowsParams*>(params);
    const auto* src = static_cast<const char*>(operands[0]);
    auto* dst = static_cast<char*>(operands[2]);
    const int64_t limit = static_cast<int64_t>(end) * p.group;
    const int64_t last = limit < p.rows ? limit : p.rows;
    int64_t row = static_cast<int64_t>(begin) * p.group;
    int64_t outer = row / p.count, k = row % p.count;
    for (; row < last; ++row) {
        int64_t index = p.wide_indices ? static_cast<const int64_t*>(operands[1])[k]
                                       : static_cast<const int32_t*>(operands[1])[k];
        if (index < 0) index += p.dim;
        if (index < 0 || index >= p.dim) return false;
        const char* from = src + (outer * p.dim + index) * p.row_bytes;
        char* to = dst + row * p.row_bytes;
        switch (p.row_bytes) {
            case 1: *to = *from; break;
            case 4: __builtin_memcpy(to, from, 4); break;
            case 8: __builtin_memcpy(to, from, 8); break;
            default: __builtin_memcpy(to, from, static_cast<size_t>(p.row_bytes));
        }
        if (++k == p.count) {
            k = 0;
            ++outer;
        }
    }
    return true;
}

}  // namespace coffer::kernels
