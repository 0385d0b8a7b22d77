// The passes, one function each; a file may hold a few that belong together. Each returns how many rewrites
// it made.
#pragma once

#include "coffer/graph/graph.hpp"

namespace coffer::offline::passes {

Result<size_t> fold_constants(graph::Model& model);
Result<size_t> fold_shapes(graph::Model& model);
Result<size_t> merge_constants(graph::Model& model);
Result<size_t> remove_identities(graph::Model& model);
Result<size_t> fold_scales(graph::Model& model);
Result<size_t> recognise_activations(graph::Model& model);
Result<size_t> recognise_layer_norm(graph::Model& model);
Result<size_t> recognise_lookups(graph::Model& model);
Result<size_t> flatten_trees(graph::Model& model);
Result<size_t> fuse_bias(graph::Model& model);
Result<size_t> fuse_residual(graph::Model& model);
Result<size_t> fuse_activations(graph::Model& model);
// Quantized patterns to integer nodes.
Result<size_t> sink_dequantize(graph::Model& model);
Result<size_t> integer_products(graph::Model& model);
Result<size_t> integer_dynamic(graph::Model& model);
Result<size_t> integer_elementwise(graph::Model& model);

}  // namespace coffer::offline::passes
