// 4 x 4 elements of 4 bytes, transposed in registers. Only arch.cpp includes this file.
#pragma once

#include "coffer/kernels/simd.hpp"

namespace coffer::kernels {

// Rows of `from` are from_step bytes apart; row i of the result goes to row(i), wherever that is.
template <class Arch, class Row>
static inline void transpose_4x4(const char* from, int64_t from_step, Row&& row) {
#if defined(__x86_64__) || defined(__i386__)
    using Tag = xsimd::sse2;
#else
    using Tag = typename Arch::tag;
#endif
    using F = xsimd::batch<float, Tag>;
    using D = xsimd::batch<double, Tag>;
    F r[4];
    for (int i = 0; i < 4; ++i) r[i] = F::load_unaligned(reinterpret_cast<const float*>(from + i * from_step));
    const F t0 = xsimd::zip_lo(r[0], r[1]), t1 = xsimd::zip_lo(r[2], r[3]);
    const F t2 = xsimd::zip_hi(r[0], r[1]), t3 = xsimd::zip_hi(r[2], r[3]);
    const auto pair = [](F a) { return xsimd::bitwise_cast<D>(a); };
    const auto store = [&](int i, D d) {
        xsimd::bitwise_cast<F>(d).store_unaligned(reinterpret_cast<float*>(row(i)));
    };
    store(0, xsimd::zip_lo(pair(t0), pair(t1)));
    store(1, xsimd::zip_hi(pair(t0), pair(t1)));
    store(2, xsimd::zip_lo(pair(t2), pair(t3)));
    store(3, xsimd::zip_hi(pair(t2), pair(t3)));
}

}  // namespace coffer::kernels
