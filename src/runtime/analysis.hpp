// What is known about one graph for given input types: the type of every value that can be inferred, the
// values that can be computed beforehand, and which nodes must wait for data. The rest of the graph is
// analysed again when those have run (see executor.hpp).
#pragma once

#include <vector>

#include "runtime/evaluate.hpp"
#include "runtime/weights.hpp"

namespace coffer::runtime {

struct ValueFacts {
    ops::Type type;
    bool ready = false;  // the type is known: given, inferred or seen
    Tensor known;        // valid when the value itself is known
};

enum class NodeState : uint8_t {
    kDead,     // nothing wants its outputs
    kPending,  // waits for a value that is not ready
    kFolded,   // its outputs are known
    kStatic,   // output types are known: can be planned
    kDynamic,  // inputs are ready, outputs depend on data (or are not plain tensors)
    kDone,     // ran in an earlier stage
};

struct Analysis {
    std::vector<ValueFacts> values;  // by ValueId
    std::vector<NodeState> nodes;
};

// Marks constants and live nodes; graph inputs are set by the caller.
Analysis begin_analysis(const graph::Model& model, uint32_t graph_index);

// Goes on from what is ready: every node that is not done becomes folded, static, dynamic or pending. Bytes of
// constants come from `weights`, under a planning of it; nullptr: they are all there.
Status analyse(const graph::Model& model, uint32_t graph_index, GraphRunner* graphs, Scratch& scratch, Analysis& a,
               WeightStore* weights = nullptr);

}  // namespace coffer::runtime
