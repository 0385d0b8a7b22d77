// Post-training quantization: int8 weights per output channel, activations static (calibrated) or dynamic.
#pragma once

#include <string>
#include <vector>

#include "coffer/graph/graph.hpp"

namespace coffer::offline {

struct QuantizeOptions {
    bool dynamic = false;    // activation ranges are found at run time; needs no data
    std::string data;        // DIR/*.npy (one input) or DIR/<sample>/<input>.npy
    bool synthetic = false;  // random samples; the result is announced as unverified
};

// In place, on an optimized graph. Layers that cannot or should not be quantized stay in float, named in `notes`.
Status quantize(graph::Model& model, const QuantizeOptions& options, std::vector<std::string>& notes);

}  // namespace coffer::offline
