// Indices from a tensor: each checked against its axis, negative ones counting from the end.
#pragma once

#include "coffer/ops/family/move.hpp"

namespace coffer::ops {

inline Status check_index_type(const MoveContext& m, size_t i) {
    if (m.dtype(i) == DType::kInt64 || m.dtype(i) == DType::kInt32) return {};
    return m.fail("indices must be int32 or int64, not ", m.dtype(i));
}

// Element i of `indices` as a place on an axis of `dim`.
inline Result<int64_t> index_at(const NodeContext& c, const TensorView& indices, int64_t i, int64_t dim) {
    const int64_t index = load_int(indices, i);
    if (index < -dim || index >= dim) return c.fail("index ", index, " is outside [", -dim, ", ", dim, ")");
    return index < 0 ? index + dim : index;
}

}  // namespace coffer::ops
