// Checked integer arithmetic: every sum, product and round-up of a size that comes from a file or a caller
// goes through these. They return false (and leave *out alone) instead of wrapping.
#pragma once

#include <concepts>
#include <cstdint>
#include <limits>
#include <utility>

namespace coffer {

template <std::integral T>
[[nodiscard]] constexpr bool checked_add(T a, T b, T* out) {
    T r;
    if (__builtin_add_overflow(a, b, &r)) return false;
    *out = r;
    return true;
}

template <std::integral T>
[[nodiscard]] constexpr bool checked_mul(T a, T b, T* out) {
    T r;
    if (__builtin_mul_overflow(a, b, &r)) return false;
    *out = r;
    return true;
}

// Smallest multiple of `unit` (> 0) that is >= value.
template <std::unsigned_integral T>
[[nodiscard]] constexpr bool checked_round_up(T value, T unit, T* out) {
    const T rest = value % unit;
    return rest == 0 ? (*out = value, true) : checked_add<T>(value, unit - rest, out);
}

// True when value fits To; then *out holds it.
template <std::integral To, std::integral From>
[[nodiscard]] constexpr bool checked_cast(From value, To* out) {
    if (!std::in_range<To>(value)) return false;
    *out = static_cast<To>(value);
    return true;
}

// For sizes already known to be small (capped by a checked product before).
template <std::unsigned_integral T>
constexpr T round_up(T value, T unit) {
    return (value + unit - 1) / unit * unit;
}

}  // namespace coffer
