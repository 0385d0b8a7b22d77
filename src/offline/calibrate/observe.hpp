// Runs a float model on samples and looks at inner values.
#pragma once

#include <functional>

#include "offline/calibrate/histogram.hpp"
#include "offline/calibrate/samples.hpp"

namespace coffer::offline {

// Calls `see(sample, k, tensor)` for each of the first `count` samples and each of `values` of the main graph (k
// counts them).
Status observe(const graph::Model& model, std::span<const graph::ValueId> values, const Samples& samples,
               size_t count, const std::function<Status(size_t sample, size_t k, const TensorView& value)>& see);

// One histogram for each of `values` over all samples. A NaN or an infinity is an error that names the layer.
Result<std::vector<Histogram>> calibrate(const graph::Model& model, std::span<const graph::ValueId> values,
                                         const Samples& samples);

}  // namespace coffer::offline
