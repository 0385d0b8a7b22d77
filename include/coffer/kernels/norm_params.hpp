// What a planner needs to know about the kernels of norm.hpp.
#pragma once

#include "coffer/kernels/arch.hpp"

namespace coffer::kernels {

inline constexpr size_t kNormUnit = 4096;  // elements of a unit, about

struct RowNormParams {
    size_t rows = 1, n = 1;
    size_t skip_rows = 1;  // rows of skip, which repeats
    float epsilon = 0;
    bool rms = false;

    size_t rows_per_unit() const { return n >= kNormUnit ? 1 : kNormUnit / n; }
    size_t units() const { return (rows + rows_per_unit() - 1) / rows_per_unit(); }
};
// Operands: src, dst, scale, bias, skip, skip_bias, sum, mean, inverse; null from bias on where absent.
// The sum may be null though there is a skip; dst may be the memory of src.
template <class Arch>
bool row_norm_f32(const void* params, void* const* operands, size_t begin, size_t end);

// `count` runs of channels x inner elements, each normalized, with a scale and a bias per channel; the channels
// begin anew after `groups` runs.
struct GroupNormParams {
    size_t count = 1, groups = 1, channels = 1, inner = 1;
    float epsilon = 0;

    size_t per_unit() const { return channels * inner >= kNormUnit ? 1 : kNormUnit / (channels * inner); }
    size_t units() const { return (count + per_unit() - 1) / per_unit(); }
};
// Operands: src, dst, scale, bias.
template <class Arch>
bool group_norm_f32(const void* params, void* const* operands, size_t begin, size_t end);

// dst = src * factor[channel] + shift[channel] on rows of `inner` elements of one channel, or of all channels
// when inner is 1 (channels last).
struct ChannelAffineParams {
    size_t rows = 1, channels = 1, inner = 1;
    float epsilon = 0;

    size_t row() const { return inner == 1 ? channels : inner; }
    size_t per_unit() const { return row() >= kNormUnit ? 1 : kNormUnit / row(); }
    size_t units() const { return (rows + per_unit() - 1) / per_unit(); }
};
// factor = scale / sqrt(variance + epsilon), shift = bias - mean factor. One unit.
// Operands: scale, bias, mean, variance, factors then shifts.
template <class Arch>
bool batch_norm_factors(const void* params, void* const* operands, size_t begin, size_t end);
// Operands: src, dst, factors then shifts.
template <class Arch>
bool channel_affine_f32(const void* params, void* const* operands, size_t begin, size_t end);

}  // namespace coffer::kernels
