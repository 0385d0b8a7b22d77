// The activation of a fused op: attributes "activation" and "activation_params", spelled as in
// com.microsoft FusedConv with a few more names; and its formula in double for references.
#pragma once

#include <cmath>

#include "coffer/kernels/epilogue_params.hpp"
#include "coffer/ops/op.hpp"

namespace coffer::ops {

struct ActivationName {
    std::string_view name;
    kernels::Act act;
    size_t params;  // how many numbers it takes; when none are given, the defaults of the ONNX op
    float alpha, beta;
};

inline constexpr ActivationName kActivationNames[] = {
    {"", kernels::Act::kNone, 0, 0, 0},
    {"Relu", kernels::Act::kRelu, 0, 0, 0},
    {"Clip", kernels::Act::kClip, 2, -3.4028235e38f, 3.4028235e38f},
    {"LeakyRelu", kernels::Act::kLeakyRelu, 1, 0.01f, 0},
    {"Sigmoid", kernels::Act::kSigmoid, 0, 0, 0},
    {"Tanh", kernels::Act::kTanh, 0, 0, 0},
    {"HardSigmoid", kernels::Act::kHardSigmoid, 2, 0.2f, 0.5f},
    {"HardSwish", kernels::Act::kHardSwish, 0, 0, 0},
    {"Swish", kernels::Act::kSilu, 1, 1, 0},
    {"Gelu", kernels::Act::kGelu, 0, 0, 0},
    {"GeluTanh", kernels::Act::kGeluTanh, 0, 0, 0},
    {"Elu", kernels::Act::kElu, 1, 1, 0},
};

inline Result<kernels::Activation> activation_of(const NodeContext& c) {
    const std::string_view name = c.attr_s("activation");
    const std::span<const float> params = c.attr_floats("activation_params");
    for (const ActivationName& known : kActivationNames) {
        if (known.name != name) continue;
        if (!params.empty() && params.size() != known.params) {
            return c.fail("activation ", name, " takes ", known.params, " parameters, not ", params.size());
        }
        kernels::Activation act{known.act, known.alpha, known.beta};
        if (params.size() > 0) act.alpha = params[0];
        if (params.size() > 1) act.beta = params[1];
        return act;
    }
    return c.unsupported("activation '", name, "'");
}

inline double activation_scalar(const kernels::Activation& act, double x) {
    const double alpha = act.alpha, beta = act.beta;
    const auto clamp = [](double v, double low, double high) { return v < low ? low : v > high ? high : v; };
    const auto sigmoid = [](double v) { return 1 / (1 + std::exp(-v)); };
    switch (act.kind) {
        case kernels::Act::kNone: return x;
        case kernels::Act::kRelu: return x < 0 ? 0 : x;
        case kernels::Act::kClip: return clamp(x, alpha, beta);
        case kernels::Act::kLeakyRelu: return x < 0 ? alpha * x : x;
        case kernels::Act::kSigmoid: return sigmoid(x);
        case kernels::Act::kTanh: return std::tanh(x);
        case kernels::Act::kHardSigmoid: return clamp(alpha * x + beta, 0, 1);
        case kernels::Act::kHardSwish: return x * clamp(x / 6 + 0.5, 0, 1);
        case kernels::Act::kSilu: return x * sigmoid(alpha * x);
        case kernels::Act::kGelu: return 0.5 * x * (1 + std::erf(x * std::sqrt(0.5)));
        case kernels::Act::kGeluTanh:
            return 0.5 * x * (1 + std::tanh(std::sqrt(2 / 3.14159265358979323846) * (x + 0.044715 * x * x * x)));
        case kernels::Act::kElu: return x < 0 ? alpha * std::expm1(x) : x;
    }
    return x;
}

}  // namespace coffer::ops
