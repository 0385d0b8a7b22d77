// Tied weights: constants with the same type, shape and bytes become one.
#include <algorithm>
#include <string_view>
#include <unordered_map>

#include "offline/passes/list.hpp"

namespace coffer::offline::passes {
namespace {

std::string_view text(const Tensor& t) {
    return {reinterpret_cast<const char*>(t.bytes().data()), t.nbytes()};
}

bool same(const Tensor& a, const Tensor& b) {
    return a.dtype() == b.dtype() && a.shape() == b.shape() && text(a) == text(b);
}

}  // namespace

Result<size_t> merge_constants(graph::Model& model) {
    std::unordered_multimap<size_t, int32_t> seen;  // by hash of the bytes
    std::vector<int32_t> merged(model.constants.size());
    for (size_t i = 0; i < merged.size(); ++i) {
        const auto index = static_cast<int32_t>(i);
        merged[i] = index;
        const Tensor& t = model.constants[i].tensor;
        if (t.dtype() == DType::kString) continue;
        const size_t hash = std::hash<std::string_view>()(text(t));
        const auto [first, last] = seen.equal_range(hash);
        const auto twin = std::find_if(first, last, [&](const auto& entry) {
            return same(model.constants[static_cast<size_t>(entry.second)].tensor, t);
        });
        if (twin != last) {
            merged[i] = twin->second;
        } else {
            seen.emplace(hash, index);
        }
    }
    size_t changes = 0;
    for (graph::Graph& g : model.graphs) {
        for (graph::ValueInfo& v : g.values) {
            if (v.constant < 0) continue;
            const int32_t to = merged[static_cast<size_t>(v.constant)];
            changes += to != v.constant;
            v.constant = to;
        }
    }
    return changes;
}

}  // namespace coffer::offline::passes
