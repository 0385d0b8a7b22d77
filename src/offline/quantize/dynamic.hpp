// Dynamic quantization: int8 weights, activations quantized when they are seen. Needs no data.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "coffer/graph/graph.hpp"

namespace coffer::offline {

// Products with constant weights that `wanted` accepts become integer nodes; how many.
Result<size_t> make_dynamic(graph::Model& model, const std::function<bool(const graph::Node&)>& wanted);

Status quantize_dynamic(graph::Model& model, std::vector<std::string>& notes);

}  // namespace coffer::offline
