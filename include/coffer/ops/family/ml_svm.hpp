// Support vector machines: the kernel function and the shapes that regressor and classifier share.
#pragma once

#include "coffer/ops/family/ml.hpp"

namespace coffer::ops::ml {

struct SvmKernel {
    enum Kind : uint8_t { kLinear, kPoly, kRbf, kSigmoid } kind = kLinear;
    double gamma = 0, coef0 = 0, degree = 0;

    // One row of X and one vector of the same length.
    double operator()(const TensorView& x, int64_t row, std::span<const float> vector) const {
        double sum = 0;
        for (size_t i = 0; i < vector.size(); ++i) {
            const double a = load_double(x, row + static_cast<int64_t>(i)), b = vector[i];
            sum += kind == kRbf ? (a - b) * (a - b) : a * b;
        }
        switch (kind) {
            case kPoly: return std::pow(gamma * sum + coef0, degree);
            case kRbf: return std::exp(-gamma * sum);
            case kSigmoid: return std::tanh(gamma * sum + coef0);
            case kLinear: break;
        }
        return sum;
    }
};

inline Status svm_kernel(const NodeContext& c, SvmKernel* out) {
    constexpr std::string_view names[] = {"LINEAR", "POLY", "RBF", "SIGMOID"};
    const auto* const name = std::find(std::begin(names), std::end(names), c.attr_s("kernel_type"));
    if (name == std::end(names)) return c.fail("kernel_type '", c.attr_s("kernel_type"), "'");
    const auto p = c.attr_floats("kernel_params");
    if (!p.empty() && p.size() != 3) return c.fail("kernel_params has ", p.size(), " values, must be 3");
    *out = {static_cast<SvmKernel::Kind>(name - names)};
    if (p.size() == 3) {
        out->gamma = p[0];
        out->coef0 = p[1];
        out->degree = p[2];
    }
    return {};
}

// support_vectors as `count` rows of `width`.
inline Status check_support_vectors(const NodeContext& c, uint64_t count, int64_t width) {
    uint64_t want;
    const size_t have = c.attr_floats("support_vectors").size();
    if (!checked_mul(count, static_cast<uint64_t>(width), &want) || have != want) {
        return c.fail("support_vectors has ", have, " values for ", count, " vectors of ", width);
    }
    return {};
}

}  // namespace coffer::ops::ml
