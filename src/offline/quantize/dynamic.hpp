// Dynamic quantization: int8 weights, activations quantized when they are seen. Needs no data.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "coffer/graph/graph.hpp"
#include "offline/quantize/insert.hpp"

namespace coffer::offline {

using NodePredicate = std::function<bool(const graph::Node&)>;
// A layer on 16 bits: what remains of x after rounding to `x` is rounded again, by a scale found at run time; with
// `weights`, what remains of the weights too.
struct TwoParts {
    ActivationScale x;
    bool weights = false;
};
using InTwoParts = std::function<std::optional<TwoParts>(const graph::Node&)>;

// Products with constant weights that `wanted` accepts become integer nodes; how many. Those of them for which
// `in_two_parts` (may be empty) says so become several. Only nodes without activation and residual have that form.
Result<size_t> make_dynamic(graph::Model& model, const NodePredicate& wanted, const InTwoParts& in_two_parts = {});

Status quantize_dynamic(graph::Model& model, std::vector<std::string>& notes);

}  // namespace coffer::offline
