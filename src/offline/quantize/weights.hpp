// Weights as 8-bit integers, one scale for each output channel, no zero point.
#pragma once

#include "coffer/base/tensor.hpp"

namespace coffer::offline {

struct QuantizedWeights {
    Tensor values;  // int8 in [-127, 127], the shape of the weights
    Tensor scales;  // float32, one for each channel
};

// `least`, when given, is the smallest scale allowed for each channel.
Result<QuantizedWeights> quantize_weights(const TensorView& weights, int channel_axis,
                                          std::span<const float> least = {});

}  // namespace coffer::offline
