// A loaded model: immutable, shared by threads through shared_ptr. Runners are made from it.
#pragma once

#include <memory>

#include "coffer/graph/graph.hpp"
#include "runtime/weights.hpp"

namespace coffer::runtime {

struct ModelOptions {
    uint64_t max_memory = 0;  // for weights, activations and plans; 0: half of what this process may have
    bool debug_names = true;  // inner names in errors; the container's policy decides for sealed files
};

class Model {
 public:
    // Takes a verified graph; checks every node against the op table. `home`: of constants from a container.
    static Result<std::shared_ptr<const Model>> create(graph::Model graph, const ModelOptions& options = {},
                                                       WeightStore::Home home = {});

    const graph::Model& graph() const { return graph_; }
    const graph::Graph& main() const { return graph_.graphs[0]; }
    const ModelOptions& options() const { return options_; }
    WeightStore& weights() const { return weights_; }
    size_t weight_bytes() const { return weight_bytes_; }

    // Inputs and outputs that callers see: indices into main().inputs and main().outputs without the pairs
    // that runners hold as state.
    const std::vector<uint32_t>& inputs() const { return inputs_; }
    const std::vector<uint32_t>& outputs() const { return outputs_; }
    const graph::ValueInfo& input(size_t i) const { return main().values[main().inputs[inputs_[i]]]; }
    const graph::ValueInfo& output(size_t i) const { return main().values[main().outputs[outputs_[i]]]; }
    // Position in inputs() / outputs(); kNotFound when there is no such name.
    static constexpr size_t kNotFound = ~size_t{0};
    size_t find_input(std::string_view name) const;
    size_t find_output(std::string_view name) const;

    struct State {
        uint32_t input, output;  // indices into main().inputs and main().outputs
        Tensor initial;
    };
    const std::vector<State>& states() const { return states_; }

 private:
    Model() = default;
    Status find_states();
    Status keep_values();

    graph::Model graph_;
    ModelOptions options_;
    mutable WeightStore weights_;
    size_t weight_bytes_ = 0;
    std::vector<uint32_t> inputs_, outputs_;
    std::vector<State> states_;
};

}  // namespace coffer::runtime
