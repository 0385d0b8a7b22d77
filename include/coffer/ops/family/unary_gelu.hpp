// The two formulas of GELU: x Phi(x) by erf, and its tanh approximation.
#pragma once

#include <cmath>

#include "coffer/ops/family/unary.hpp"

namespace coffer::ops::gelu {

inline double exact(double x) {
    return 0.5 * x * (1 + std::erf(x * 0.70710678118654752440));
}
inline double by_tanh(double x) {
    return 0.5 * x * (1 + std::tanh(0.79788456080286535588 * (x + 0.044715 * x * x * x)));
}
template <class V>
V exact(V x) {
    return V(0.5f) * x * (V(1.0f) + kernels::verf(x * V(0.707106781f)));
}
// (1 + tanh(z)) / 2 = sigmoid(2 z)
template <class V>
V by_tanh(V x) {
    return x * kernels::vsigmoid(x * fma(x * x, V(0.0713548163f), V(1.59576912f)));
}

}  // namespace coffer::ops::gelu
