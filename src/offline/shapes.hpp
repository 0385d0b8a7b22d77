// Types of all values of a main graph at pack time, when inputs may have free dimensions.
#pragma once

#include <optional>

#include "runtime/analysis.hpp"

namespace coffer::offline {

// For a model whose inputs are all fixed; nullopt when a dim is free or inference fails.
std::optional<runtime::Analysis> analyse_fixed(const graph::Model& model);

// Free dims bound to plausible, pairwise different numbers (first dims small, others multiples of 32), in two
// ways. Two values whose shapes agree under both have the same shape for every binding, as far as a pass that
// is checked again at plan time needs to know. Empty when inference fails.
class SampledTypes {
 public:
    explicit SampledTypes(const graph::Model& model);
    bool valid() const { return !samples_.empty(); }
    bool same_shape(graph::ValueId a, graph::ValueId b) const;
    // Rank, or -1 when not known; element type, or kUndefined.
    int rank(graph::ValueId id) const;
    DType dtype(graph::ValueId id) const;
    // The size of a dimension when it is the same under both bindings, else -1.
    int64_t dim(graph::ValueId id, int axis) const;

    // The first `count` dimensions of both exist and agree.
    bool same_dims(graph::ValueId a, graph::ValueId b, int count) const;
    // Under one of the bindings; -1 when not known.
    int64_t elements(graph::ValueId id) const;

 private:
    std::vector<runtime::Analysis> samples_;
};

}  // namespace coffer::offline
