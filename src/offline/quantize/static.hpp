// Static quantization: ranges of activations from samples, int8 weights, layers in float where integers cost too
// much.
#pragma once

#include "offline/quantize/quantize.hpp"

namespace coffer::offline {

Status quantize_static(graph::Model& model, const QuantizeOptions& options, std::vector<std::string>& notes);

}  // namespace coffer::offline
