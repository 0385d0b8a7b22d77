#include "offline/calibrate/observe.hpp"

#include <algorithm>

namespace coffer::offline {
namespace {

// The node that writes `id`, for messages.
std::string writer(const graph::Graph& g, graph::ValueId id) {
    for (const graph::Node& node : g.nodes) {
        if (std::ranges::find(node.outputs, id) == node.outputs.end()) continue;
        return message({node.op, " '", node.name.empty() ? g.values[id].name : node.name, "'"});
    }
    return message({"input '", g.values[id].name, "'"});
}

}  // namespace

Status observe(const graph::Model& model, std::span<const graph::ValueId> values, const Samples& samples,
               size_t count, const std::function<Status(size_t, size_t, const TensorView&)>& see) {
    graph::Model watched = model;
    graph::Graph& g = watched.graphs[0];
    std::vector<size_t> position;  // in g.outputs
    for (const graph::ValueId id : values) {
        const auto at = std::ranges::find(g.outputs, id);
        position.push_back(static_cast<size_t>(at - g.outputs.begin()));
        if (at == g.outputs.end()) g.outputs.push_back(id);
    }
    COFFER_TRY_ASSIGN(const auto shared, runtime::Model::create(std::move(watched)));
    COFFER_TRY_ASSIGN(const auto runner, runtime::Runner::create(shared));
    // Positions among the outputs that are not held as state.
    std::vector<size_t> visible(shared->main().outputs.size(), runtime::Model::kNotFound);
    for (size_t i = 0; i < shared->outputs().size(); ++i) visible[shared->outputs()[i]] = i;

    for (size_t s = 0; s < std::min(count, samples.size()); ++s) {
        COFFER_TRY(run_sample(*runner, samples, s));
        for (size_t k = 0; k < values.size(); ++k) {
            const size_t output = visible[position[k]];
            if (output == runtime::Model::kNotFound) continue;
            COFFER_TRY(see(s, k, runner->output(output).tensor.view()));
        }
    }
    return {};
}

Result<std::vector<Histogram>> calibrate(const graph::Model& model, std::span<const graph::ValueId> values,
                                         const Samples& samples) {
    std::vector<Histogram> histograms(values.size());
    COFFER_TRY(
        observe(model, values, samples, samples.size(), [&](size_t s, size_t k, const TensorView& t) -> Status {
            if (t.dtype != DType::kFloat) return {};
            if (histograms[k].add(t.span<const float>())) return {};
            return error(Code::kInvalidArgument, "sample '", samples.name(s),
                         "': ", writer(model.graphs[0], values[k]), " gives NaN or infinity");
        }));
    return histograms;
}

}  // namespace coffer::offline
