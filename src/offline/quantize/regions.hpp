// Which nodes of a float graph will work on integers, and which values must share one scale for it.
#pragma once

#include <functional>
#include <set>
#include <string>

#include "offline/passes/quantized.hpp"

namespace coffer::offline {

struct Regions {
    std::vector<ValueId> layers;   // results of the products that become integer
    std::vector<bool> integer;     // by node: works on integers
    std::vector<int32_t> group;    // by value: values of one group share scale and zero point; -1: stays float
    std::vector<ValueId> leaders;  // by group: the value whose range counts
};

// `floats` are results of products that must stay float. The graph is unfused.
Regions find_regions(Editor& e, const std::set<ValueId>& floats,
                     const std::function<bool(ValueId, ValueId)>& same_shape);

}  // namespace coffer::offline
