// The only header that includes xsimd. Compiled inside arch.cpp, once per instruction set, where the macro
// COFFER_ARCH names the row (see cmake/arch.cmake); `xsimd` is renamed per row by the build (-Dxsimd=...), so
// that two rows never share a symbol of the library.
#pragma once

#include <xsimd/xsimd.hpp>

#include "coffer/kernels/arch.hpp"

// Before a loop over the registers of a tile: GCC keeps an array in registers only when its loops are unrolled early.
#if defined(__GNUC__) && !defined(__clang__)
#define COFFER_UNROLL _Pragma("GCC unroll 12")
#else
#define COFFER_UNROLL
#endif

namespace coffer::kernels {

#if defined(__x86_64__) || defined(__i386__)
struct Baseline {
    static constexpr ArchId id = ArchId::kBaseline;
    using tag = xsimd::sse2;
    static constexpr bool fma = false, avx2 = false, avx512 = false, vnni = false, amx = false, dotprod = false;
};
struct Avx2 {
    static constexpr ArchId id = ArchId::kAvx2;
    using tag = xsimd::fma3<xsimd::avx2>;
    static constexpr bool fma = true, avx2 = true, avx512 = false, vnni = false, amx = false, dotprod = false;
};
struct Avx512 {
    static constexpr ArchId id = ArchId::kAvx512;
    using tag = xsimd::avx512bw;
    static constexpr bool fma = true, avx2 = true, avx512 = true, vnni = false, amx = false, dotprod = false;
};
struct Avx512Vnni : Avx512 {
    static constexpr ArchId id = ArchId::kAvx512Vnni;
    static constexpr bool vnni = true;
};
struct Amx : Avx512Vnni {
    static constexpr ArchId id = ArchId::kAmx;
    static constexpr bool amx = true;
};
#elif defined(__aarch64__)
struct Baseline {
    static constexpr ArchId id = ArchId::kBaseline;
    using tag = xsimd::neon64;
    static constexpr bool fma = true, avx2 = false, avx512 = false, vnni = false, amx = false, dotprod = false;
};
struct NeonDotprod : Baseline {
    static constexpr ArchId id = ArchId::kNeonDotprod;
    static constexpr bool dotprod = true;
};
#endif

template <class Arch, class T>
using Batch = xsimd::batch<T, typename Arch::tag>;

#if defined(__AVX512F__)
// a * b + c in one rounding, as xsimd does elsewhere: version 8.1 has no fma for AVX-512 and splits it in two.
[[gnu::always_inline]] static inline Batch<Avx512, float> fma(Batch<Avx512, float> a, Batch<Avx512, float> b,
                                                              Batch<Avx512, float> c) {
    return _mm512_fmadd_ps(a, b, c);
}
[[gnu::always_inline]] static inline Batch<Avx512, double> fma(Batch<Avx512, double> a, Batch<Avx512, double> b,
                                                               Batch<Avx512, double> c) {
    return _mm512_fmadd_pd(a, b, c);
}
#endif

}  // namespace coffer::kernels
