#include "offline/shapes.hpp"

#include <map>

#include "runtime/executor.hpp"

namespace coffer::offline {
namespace {

std::optional<runtime::Analysis> analyse(const graph::Model& model, std::span<const ops::Type> inputs) {
    runtime::WeightStore weights;
    runtime::ExecutionContext context;
    context.model = &model;
    context.weights = &weights;
    runtime::Executors executors(&context);
    runtime::Scratch scratch;
    runtime::Analysis a = runtime::begin_analysis(model, 0);
    for (size_t i = 0; i < inputs.size(); ++i) {
        a.values[model.graphs[0].inputs[i]].type = inputs[i];
        a.values[model.graphs[0].inputs[i]].ready = true;
    }
    if (!runtime::analyse(model, 0, &executors, scratch, a)) return std::nullopt;
    return a;
}

}  // namespace

std::optional<runtime::Analysis> analyse_fixed(const graph::Model& model) {
    std::vector<ops::Type> inputs;
    for (graph::ValueId id : model.graphs[0].inputs) {
        const graph::Type& type = model.graphs[0].values[id].type;
        const std::optional<Shape> shape = type.shape();
        if (type.kind != ValueKind::kTensor || !shape) return std::nullopt;
        inputs.push_back({ValueKind::kTensor, type.dtype, *shape, true});
    }
    return analyse(model, inputs);
}

SampledTypes::SampledTypes(const graph::Model& model) {
    for (int way = 0; way < 2; ++way) {
        std::map<std::string, int64_t> bound;
        int64_t batch = 1 + way, size = 64 * (1 + way);
        std::vector<ops::Type> inputs;
        for (graph::ValueId id : model.graphs[0].inputs) {
            const graph::Type& type = model.graphs[0].values[id].type;
            if (type.kind != ValueKind::kTensor || !type.dims) return;
            ops::Type t{ValueKind::kTensor, type.dtype, {}, true};
            for (size_t i = 0; i < type.dims->size(); ++i) {
                const graph::Dim& d = (*type.dims)[i];
                int64_t value = d.value;
                if (!d.known()) {
                    const auto [it, fresh] = bound.try_emplace(
                        d.symbol.empty() ? "?" + std::to_string(id) + "." + std::to_string(i) : d.symbol, 0);
                    if (fresh) it->second = i == 0 ? batch : (size += 32);
                    value = it->second;
                }
                t.shape.push_back(value);
            }
            inputs.push_back(t);
        }
        auto sample = analyse(model, inputs);
        if (!sample) {
            samples_.clear();
            return;
        }
        samples_.push_back(std::move(*sample));
    }
}

bool SampledTypes::same_shape(graph::ValueId a, graph::ValueId b) const {
    for (const runtime::Analysis& s : samples_) {
        if (!s.values[a].ready || !s.values[b].ready || !(s.values[a].type.shape == s.values[b].type.shape))
            return false;
    }
    return valid();
}

int SampledTypes::rank(graph::ValueId id) const {
    if (!valid() || !samples_[0].values[id].ready) return -1;
    return samples_[0].values[id].type.shape.rank();
}

DType SampledTypes::dtype(graph::ValueId id) const {
    return valid() && samples_[0].values[id].ready ? samples_[0].values[id].type.dtype : DType::kUndefined;
}

bool SampledTypes::same_dims(graph::ValueId a, graph::ValueId b, int count) const {
    for (const runtime::Analysis& s : samples_) {
        const auto &x = s.values[a], &y = s.values[b];
        if (!x.ready || !y.ready || x.type.shape.rank() < count || y.type.shape.rank() < count) return false;
        for (int i = 0; i < count; ++i) {
            if (x.type.shape[i] != y.type.shape[i]) return false;
        }
    }
    return valid();
}

int64_t SampledTypes::elements(graph::ValueId id) const {
    return valid() && samples_[0].values[id].ready ? samples_[0].values[id].type.shape.elements() : -1;
}

int64_t SampledTypes::dim(graph::ValueId id, int axis) const {
    int64_t size = -1;
    for (const runtime::Analysis& s : samples_) {
        if (!s.values[id].ready || axis >= s.values[id].type.shape.rank()) return -1;
        const int64_t d = s.values[id].type.shape[axis];
        if (size >= 0 && d != size) return -1;
        size = d;
    }
    return size;
}

}  // namespace coffer::offline
