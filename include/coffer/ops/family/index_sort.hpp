// Ordering elements of any type: numbers by value with NaN last, strings by bytes, complex by real, then imaginary.
#pragma once

#include <cmath>

#include "coffer/base/tensor.hpp"

namespace coffer::ops {

inline int compare_doubles(double a, double b) {
    if (std::isnan(a) || std::isnan(b)) return int{std::isnan(a)} - int{std::isnan(b)};
    return int{a > b} - int{a < b};
}

inline int compare_elements(const TensorView& t, int64_t i, int64_t j) {
    switch (t.dtype) {
        case DType::kString: return t.as<PrivateString>()[i].compare(t.as<PrivateString>()[j]);
        case DType::kFloat: return compare_doubles(t.as<float>()[i], t.as<float>()[j]);
        case DType::kComplex64: {
            const auto* x = t.as<float>();
            const int real = compare_doubles(x[2 * i], x[2 * j]);
            return real ? real : compare_doubles(x[2 * i + 1], x[2 * j + 1]);
        }
        case DType::kComplex128: {
            const auto* x = t.as<double>();
            const int real = compare_doubles(x[2 * i], x[2 * j]);
            return real ? real : compare_doubles(x[2 * i + 1], x[2 * j + 1]);
        }
        case DType::kUint64: {
            const auto* x = t.as<uint64_t>();
            return int{x[i] > x[j]} - int{x[i] < x[j]};
        }
        default: break;
    }
    if (is_floating(t.dtype)) return compare_doubles(load_double(t, i), load_double(t, j));
    const int64_t a = load_int(t, i), b = load_int(t, j);
    return int{a > b} - int{a < b};
}

}  // namespace coffer::ops
