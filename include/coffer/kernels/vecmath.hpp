// exp, expm1, tanh, sigmoid and erf on float32 batches, to about 2 ulp, where xsimd's are slow or inaccurate; and
// products of integers that wrap.
// Free templates: call them qualified, `kernels::vexp(x)`. May be included anywhere: outside the arch objects
// only the declarations are seen. NaN stays NaN, infinities give the limits.
#pragma once

namespace coffer::kernels {

template <class V>
V vexp(V x);
template <class V>
V vexpm1(V x);
template <class V>
V vtanh(V x);
template <class V>
V vsigmoid(V x);
template <class V>
V verf(V x);
template <class V>
V vmul(V a, V b);

}  // namespace coffer::kernels

#ifdef COFFER_ARCH
#include <type_traits>

#include "coffer/kernels/simd.hpp"

namespace coffer::kernels {

// Where there is no instruction xsimd multiplies the lanes one by one as what they are, and signed ones must not
// overflow.
template <class V>
V vmul(V a, V b) {
    using T = typename V::value_type;
    if constexpr (std::is_integral_v<T>) {
        using Unsigned = xsimd::batch<std::make_unsigned_t<T>, typename V::arch_type>;
        return xsimd::bitwise_cast<V>(xsimd::bitwise_cast<Unsigned>(a) * xsimd::bitwise_cast<Unsigned>(b));
    } else {
        return a * b;
    }
}

namespace vecmath {

// c0 + x (c1 + x (c2 + ...)). Coefficients here are least-squares fits reweighted towards the minimax error.
template <class V>
V horner(V, float c0) {
    return V(c0);
}
template <class V, class... C>
V horner(V x, float c0, C... rest) {
    return fma(horner(x, rest...), x, V(c0));
}

// x = n ln2 + r with |r| <= ln2 / 2; r + r^2 q(r) = e^r - 1. Adding 1.5 * 2^23 rounds to an integer and
// leaves it in the low bits, without a rounding instruction (SSE2 has none).
template <class V>
struct ExpParts {
    using Int = xsimd::batch<int32_t, typename V::arch_type>;
    V expm1_r;
    Int n;

    explicit ExpParts(V x) {
        const V magic(12582912.0f);
        const V shifted = fma(x, V(1.44269504f), magic);
        const V nf = shifted - magic;
        n = xsimd::bitwise_cast<Int>(shifted) - xsimd::bitwise_cast<Int>(magic);
        V r = fma(nf, V(-0.693359375f), x);
        r = fma(nf, V(2.12194440e-4f), r);
        const V q = horner(r, 0.500000009502f, 0.166665189057f, 0.041666206169f, 0.008368883298f, 0.001395047144f);
        expm1_r = fma(q * r, r, r);
    }
    // 2^k for k in [-126, 127]
    static V power(Int k) { return xsimd::bitwise_cast<V>((k + Int(127)) << 23); }
};

// For callers that know x <= 88.3 and accept 0 below -87.3: one scaling instead of two.
template <class V>
V exp_small(V x) {
    const ExpParts<V> e(max(V(-87.3f), x));
    return (e.expm1_r + V(1.0f)) * ExpParts<V>::power(e.n);
}

}  // namespace vecmath

// The scale goes in by halves, so that results near overflow and subnormal ones come out right.
template <class V>
V vexp(V x) {
    const vecmath::ExpParts<V> e(min(V(89.0f), max(V(-104.0f), x)));
    const auto half = e.n >> 1;
    return (e.expm1_r + V(1.0f)) * vecmath::ExpParts<V>::power(half) * vecmath::ExpParts<V>::power(e.n - half);
}

template <class V>
V vexpm1(V x) {
    const vecmath::ExpParts<V> e(min(V(89.0f), max(V(-18.0f), x)));
    const auto half = e.n >> 1;
    const V first = vecmath::ExpParts<V>::power(half), second = vecmath::ExpParts<V>::power(e.n - half);
    return fma(e.expm1_r * first, second, fma(first, second, V(-1.0f)));
}

template <class V>
V vsigmoid(V x) {
    return V(1.0f) / (V(1.0f) + vecmath::exp_small(min(V(88.0f), -x)));
}

template <class V>
V vtanh(V x) {
    const V a = abs(x);
    const V u = x * x;
    const V poly =
        vecmath::horner(u, -0.333332850727f, 0.13331515112f, -0.053745139921f, 0.020655204041f, -0.005721614537f);
    const V small = fma(poly * u, x, x);
    const V e = vecmath::exp_small(min(V(20.0f), a + a));
    const V large = V(1.0f) - V(2.0f) / (e + V(1.0f));
    return select(a < V(0.625f), small, copysign(large, x));
}

// Near zero x p(x^2); beyond 1, 1 - exp(log erfc |x|), whose logarithm is nearly a parabola.
template <class V>
V verf(V x) {
    const V a = min(V(4.0f), abs(x));
    const V u = x * x;
    const V small = x * vecmath::horner(u, 1.128379165914f, -0.3761262713619f, 0.1128360017689f, -0.02685444457669f,
                                        5.189535257156e-3f, -8.020840195041e-4f, 7.889114943355e-5f);
    const V log_erfc =
        vecmath::horner(a, 1.570277202018e-4f, -1.129433097582f, -0.6335065942807f, -0.1081101491078f,
                        0.02501299016893f, -4.131856460571e-3f, 4.266031088459e-4f, -2.043396055584e-5f);
    const V large = V(1.0f) - vecmath::exp_small(log_erfc);
    return select(abs(x) < V(1.0f), small, copysign(large, x));
}

}  // namespace coffer::kernels
#endif
