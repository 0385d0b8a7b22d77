// Scaled dot-product attention: the shapes of a (batch, heads, sequence, size) problem whatever the memory
// order, the reference loops, and rotary embedding. Attention, MultiHeadAttention, GroupQueryAttention and
// their kin fill these in.
#pragma once

#include <cmath>

#include "coffer/ops/op.hpp"

namespace coffer::ops {

inline bool is_attention_float(DType t) {
    return t == DType::kFloat || t == DType::kDouble || t == DType::kFloat16 || t == DType::kBfloat16;
}

// Rounds x to what dtype can hold, as a graph of separate ops would between them. The 16-bit formats take
// their value from float32, as the tensors do.
inline double round_to(DType t, double x) {
    switch (t) {
        case DType::kFloat: return static_cast<float>(x);
        case DType::kFloat16: return to_float(to_float16(static_cast<float>(x)));
        case DType::kBfloat16: return to_float(to_bfloat16(static_cast<float>(x)));
        default: return x;
    }
}

struct Rotary {
    int64_t batch = 0, sequence = 0, heads = 0, head_size = 0, rotated = 0, positions = 0;
    bool heads_first = false;  // (batch, heads, sequence, size), not (batch, sequence, heads * size)
    bool interleaved = false;  // pairs are neighbours, not elements of the two halves

    int64_t offset(int64_t b, int64_t h, int64_t t) const {
        return (heads_first ? (b * heads + h) * sequence + t : (b * sequence + t) * heads + h) * head_size;
    }
};

// Rotates the head at `at` of src into dst by the angles from `row` on.
inline void rotate(const TensorView& src, const TensorView& dst, int64_t at, const Rotary& r, const TensorView& cos,
                   const TensorView& sin, int64_t row) {
    for (int64_t i = 0; i < r.rotated / 2; ++i) {
        const int64_t a = at + (r.interleaved ? 2 * i : i), b = r.interleaved ? a + 1 : a + r.rotated / 2;
        const double x = load_double(src, a), y = load_double(src, b);
        const double cs = load_double(cos, row + i), sn = load_double(sin, row + i);
        store_double(dst, a, cs * x - sn * y);
        store_double(dst, b, sn * x + cs * y);
    }
    for (int64_t i = at + r.rotated; i < at + r.head_size; ++i) store_double(dst, i, load_double(src, i));
}

// Where row (batch, head, position) of Q, K, V or Y begins.
struct HeadRows {
    int64_t heads = 0, sequence = 0, size = 0;
    bool heads_first = true;
    int64_t at(int64_t b, int64_t h, int64_t t) const {
        return (heads_first ? (b * heads + h) * sequence + t : (b * sequence + t) * heads + h) * size;
    }
};

// Splits a rank 4 (batch, heads, sequence, size) or rank 3 (batch, sequence, heads * size) shape.
inline Status head_rows(const NodeContext& c, const char* name, const Shape& s, int64_t heads, HeadRows* out) {
    if (s.rank() == 4) {
        *out = {s[1], s[2], s[3], true};
        return {};
    }
    if (s.rank() != 3) return c.fail(name, " has shape ", s, ", must have rank 3 or 4");
    // Of no elements there could be any number of heads.
    if (heads < 1 || s[2] < heads || s[2] % heads != 0)
        return c.fail(name, " has shape ", s, " for ", heads, " heads");
    *out = {heads, s[1], s[2] / heads, false};
    return {};
}

}  // namespace coffer::ops
