#include "runtime/model.hpp"

#include <algorithm>

#include "coffer/base/private_memory.hpp"
#include "coffer/ops/op.hpp"

namespace coffer::runtime {
namespace {

Result<uint32_t> find(const graph::Graph& g, const std::vector<graph::ValueId>& ids, const std::string& name) {
    for (uint32_t i = 0; i < ids.size(); ++i) {
        if (g.values[ids[i]].name == name) return i;
    }
    return error(Code::kFormat, Detail::kManifestInvalid, "state names '", name, "', which the graph does not have");
}

Status check_ops(const graph::Model& model) {
    for (const graph::Graph& g : model.graphs) {
        for (const graph::Node& node : g.nodes) {
            const ops::Op* op = ops::find(node.op);
            if (!op) {
                return error(Code::kUnsupported, Detail::kUnsupported, "op '", node.op, "' is not in this build");
            }
            COFFER_TRY(ops::check_node(*op, node));
        }
    }
    return {};
}

}  // namespace

Result<std::shared_ptr<const Model>> Model::create(graph::Model graph, const ModelOptions& options,
                                                   WeightStore::Home home) {
    if (!home.payload) COFFER_TRY(graph::verify(graph));  // else it was when its manifest was decoded
    COFFER_TRY(check_ops(graph));
    auto model = std::shared_ptr<Model>(new Model);
    model->graph_ = std::move(graph);
    model->options_ = options;
    if (model->options_.max_memory == 0) model->options_.max_memory = os::memory_limit() / 2;
    for (const graph::Constant& c : model->graph_.constants) model->weight_bytes_ += c.tensor.nbytes();
    const BudgetScope scope(std::make_shared<MemoryBudget>(model->options_.max_memory));
    model->weights_.bind(std::move(home), model->weight_bytes_, model->options_.max_memory);
    COFFER_TRY(model->find_states());
    COFFER_TRY(model->keep_values());
    return std::shared_ptr<const Model>(std::move(model));
}

Status Model::find_states() {
    const graph::Graph& g = main();
    for (const graph::StatePair& pair : graph_.states) {
        COFFER_TRY_ASSIGN(const uint32_t input, find(g, g.inputs, pair.input));
        COFFER_TRY_ASSIGN(const uint32_t output, find(g, g.outputs, pair.output));
        State state{input, output, {}};
        const graph::Type& type = g.values[g.inputs[input]].type;
        if (pair.initial) {
            state.initial = *pair.initial;
        } else {
            const std::optional<Shape> shape = type.shape();
            if (!shape) {
                return error(Code::kFormat, Detail::kManifestInvalid, "state '", pair.input,
                             "' has free dimensions and no initial value");
            }
            COFFER_TRY_ASSIGN(state.initial, Tensor::create(type.dtype, *shape));
        }
        states_.push_back(std::move(state));
    }
    for (uint32_t i = 0; i < g.inputs.size(); ++i) {
        if (std::ranges::none_of(states_, [i](const State& s) { return s.input == i; })) inputs_.push_back(i);
    }
    for (uint32_t i = 0; i < g.outputs.size(); ++i) {
        if (std::ranges::none_of(states_, [i](const State& s) { return s.output == i; })) outputs_.push_back(i);
    }
    return {};
}

// States and attributes are read at any time.
Status Model::keep_values() {
    COFFER_TRY_ASSIGN(const WeightStore::Planning planning, weights_.begin());
    for (const State& state : states_) COFFER_TRY(weights_.keep(state.initial.view()));
    for (const graph::Graph& g : graph_.graphs) {
        for (const graph::Node& node : g.nodes) {
            for (const graph::Attr& attr : node.attrs) {
                if (const auto* tensor = std::get_if<Tensor>(&attr.value)) COFFER_TRY(weights_.keep(tensor->view()));
            }
        }
    }
    return {};
}

size_t Model::find_input(std::string_view name) const {
    for (size_t i = 0; i < inputs_.size(); ++i) {
        if (input(i).name == name) return i;
    }
    return kNotFound;
}
size_t Model::find_output(std::string_view name) const {
    for (size_t i = 0; i < outputs_.size(); ++i) {
        if (output(i).name == name) return i;
    }
    return kNotFound;
}

}  // namespace coffer::runtime
