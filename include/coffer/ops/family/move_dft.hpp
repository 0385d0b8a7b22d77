// The discrete Fourier transform by its definition, in double, for DFT and STFT.
#pragma once

#include <cmath>
#include <numbers>

#include "coffer/ops/family/move.hpp"

namespace coffer::ops {

// A table of the n-th roots of one, as (cos, sin) pairs.
inline Result<double*> unit_roots(MoveContext& m, int64_t n) {
    size_t bytes = 0;
    if (!checked_mul<size_t>(static_cast<size_t>(n), 16, &bytes)) return m.fail("length ", n);
    COFFER_TRY_ASSIGN(std::byte* const memory, m.scratch(bytes));
    auto* roots = reinterpret_cast<double*>(memory);
    for (int64_t i = 0; i < n; ++i) {
        const double x = 2 * std::numbers::pi * static_cast<double>(i) / static_cast<double>(n);
        roots[2 * i] = std::cos(x);
        roots[2 * i + 1] = std::sin(x);
    }
    return roots;
}

// Adds to bin k of n points what points [begin, end) give; read(i, re, im) gives point i. sign is -1 forwards, 1
// backwards.
template <class Read>
void dft_bin(const double* roots, int64_t n, int64_t k, int sign, int64_t begin, int64_t end, Read read, double* re,
             double* im) {
    for (int64_t i = begin, turn = begin * k % n; i < end; ++i) {
        double a = 0, b = 0;
        read(i, &a, &b);
        const double c = roots[2 * turn], s = sign * roots[2 * turn + 1];
        *re += a * c - b * s;
        *im += a * s + b * c;
        turn += k;
        if (turn >= n) turn -= n;
    }
}

}  // namespace coffer::ops
