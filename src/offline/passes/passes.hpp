// Graph passes: plain functions in one literal list (passes.cpp), run to a fixed point; the graph is verified
// after each, and an error names the pass. They decide nothing that depends on a CPU.
#pragma once

#include <string>
#include <vector>

#include "coffer/graph/graph.hpp"

namespace coffer::offline {

struct PassStats {
    std::string name;
    size_t changes = 0;  // rewrites made, over all rounds
};

// Simplifies and fuses in place. The meaning stays the same up to the rounding of a reassociated float sum.
Result<std::vector<PassStats>> optimize(graph::Model& model);

// Removes what nothing uses: nodes, values, constants, subgraphs. Ids are renumbered.
void compact(graph::Model& model);

// The list, for documentation and tests.
std::vector<std::string> pass_names();

}  // namespace coffer::offline
