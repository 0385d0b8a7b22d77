// Ops on maps. Values here are tensors, sequences and optionals; a map type does not exist, so these ops are
// known by name and refused with a reason. Models get the plain scores by removing the node.
#pragma once

#include "coffer/ops/op.hpp"

namespace coffer::ops::ml {

struct MapOp {
    static Status infer(InferContext& c) { return c.unsupported("values of type map are not supported"); }
    static Status reference(RunContext& c) { return c.unsupported("values of type map are not supported"); }
};

}  // namespace coffer::ops::ml
