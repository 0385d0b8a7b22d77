// Sequences and optionals: they are Values, so these ops hand references around instead of copying elements.
#pragma once

#include "coffer/ops/family/move.hpp"

namespace coffer::ops {

inline Status require_kind(const InferContext& c, size_t i, ValueKind kind) {
    constexpr const char* names[] = {"a tensor", "a sequence", "an optional"};
    if (c.input(i).kind != kind) return c.fail("input ", i, " is not ", names[static_cast<int>(kind)]);
    return {};
}

// A tensor input that is one integer: a position.
inline Status require_position(const InferContext& c, size_t i) {
    COFFER_TRY(require_kind(c, i, ValueKind::kTensor));
    if (!is_integer(c.dtype(i)) || c.shape(i).elements() != 1)
        return c.fail("position is ", c.dtype(i), " ", c.shape(i));
    return {};
}

inline Value make_sequence(DType dtype, std::vector<Value> items) {
    Value v;
    v.kind = ValueKind::kSequence;
    v.dtype = dtype;
    v.items = std::move(items);
    return v;
}

// Input `i` as a position in [-limit, limit) brought to [0, limit); `limit` may be one past the last item.
inline Result<size_t> position_at(const RunContext& c, size_t i, size_t size, bool past_end) {
    const int64_t at = load_int(c.input(i), 0);
    const auto n = static_cast<int64_t>(size);
    if (at < -n || at > n || (at == n && !past_end)) return c.fail("position ", at, " in a sequence of ", n);
    return static_cast<size_t>(at < 0 ? at + n : at);
}

}  // namespace coffer::ops
