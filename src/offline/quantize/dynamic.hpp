// Dynamic quantization: int8 weights, activations quantized when they are seen. Needs no data.
#pragma once

#include <string>
#include <vector>

#include "coffer/graph/graph.hpp"

namespace coffer::offline {

Status quantize_dynamic(graph::Model& model, std::vector<std::string>& notes);

}  // namespace coffer::offline
