// Writes quantization into a float graph as QuantizeLinear and DequantizeLinear nodes. The result still computes
// in float, as integers will; the integer passes do the rest.
#pragma once

#include "offline/calibrate/histogram.hpp"
#include "offline/quantize/regions.hpp"

namespace coffer::offline {

// uint8 with zero exactly representable.
struct ActivationScale {
    float scale = 1;
    uint8_t zero = 0;
};
ActivationScale scale_of(Range range);

// `ranges` by group.
Status insert_quantization(graph::Model& model, const Regions& regions, std::span<const Range> ranges);

}  // namespace coffer::offline
