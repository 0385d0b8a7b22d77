// The layers of a float graph that can be quantized, and taking fused nodes apart so that what cannot be done on
// integers becomes a node of its own.
#pragma once

#include "offline/passes/quantized.hpp"

namespace coffer::offline {

// A product with constant float32 weights of a rank that integer nodes take.
std::optional<Product> quantizable(const Editor& e, const graph::Node& node);

// Fused residuals become Add nodes and fused activations nodes of their own, but for a Relu or Clip that an
// integer product can keep; with `clamps`, that too.
void unfuse(graph::Model& model, bool clamps);

}  // namespace coffer::offline
