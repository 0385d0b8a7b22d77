// What a matrix or convolution kernel does with a finished sum: scale, bias, residual, activation. Plain data,
// shared by planning (baseline code) and kernels.
#pragma once

#include <cstddef>
#include <cstdint>

namespace coffer::kernels {

enum class Act : uint8_t {
    kNone,
    kRelu,
    kClip,       // alpha: low, beta: high
    kLeakyRelu,  // alpha: slope below zero
    kSigmoid,
    kTanh,
    kHardSigmoid,  // alpha: slope, beta: offset
    kHardSwish,
    kSilu,  // x sigmoid(alpha x)
    kGelu,  // by erf
    kGeluTanh,
    kElu,  // alpha: scale below zero
};

struct Activation {
    Act kind = Act::kNone;
    float alpha = 0, beta = 0;
};

// y = act(alpha * sum + beta * bias[column] + residual_scale * residual[row, column])
struct EpilogueParams {
    float alpha = 1, beta = 1, residual_scale = 1;
    size_t residual_ld = 0;      // elements between rows of the residual; 0 repeats one row
    size_t residual_column = 1;  // 1, or 0: one value a row
    Activation act;
};

}  // namespace coffer::kernels
