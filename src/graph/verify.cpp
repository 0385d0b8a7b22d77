// The rules of graph.hpp, one function each. A value that nothing writes and nothing reads is not an error:
// passes leave such values behind when they remove nodes.
#include <algorithm>
#include <string_view>
#include <unordered_set>

#include "coffer/graph/graph.hpp"

namespace coffer::graph {
namespace {

template <class... Parts>
Error bad(const Parts&... parts) {
    return error(Code::kFormat, Detail::kFormat, parts...);
}

Status check_type(std::string_view name, const Type& type) {
    if (static_cast<int>(type.dtype) >= kDTypeCount) {
        return bad("value '", name, "': unknown element type ", static_cast<int>(type.dtype));
    }
    if (!type.dims) return {};
    if (type.dims->size() > kMaxRank) {
        return bad("value '", name, "': rank ", type.dims->size(), " is over ", kMaxRank);
    }
    for (const Dim& dim : *type.dims) {
        if (dim.value < -1) return bad("value '", name, "': dimension ", dim.value);
        if (dim.known() && !dim.symbol.empty()) {
            return bad("value '", name, "': dimension ", dim.value, " has a symbol too: '", dim.symbol, "'");
        }
    }
    return {};
}

Status check_constant_type(const ValueInfo& info, const Tensor& tensor) {
    if (info.type.kind != ValueKind::kTensor) return bad("constant '", info.name, "' is not a tensor");
    if (info.type.dtype != DType::kUndefined && info.type.dtype != tensor.dtype()) {
        return bad("constant '", info.name, "': type says ", info.type.dtype, ", its tensor is ", tensor.dtype());
    }
    const auto shape = info.type.shape();
    if (shape && *shape != tensor.shape()) {
        return bad("constant '", info.name, "': type says ", *shape, ", its tensor is ", tensor.shape());
    }
    return {};
}

class GraphCheck {
 public:
    GraphCheck(const Model& model, uint32_t index)
        : model_(model), graph_(model.graphs[index]), index_(index), written_(graph_.values.size()) {}

    Status run() {
        COFFER_TRY(check_values());
        COFFER_TRY(check_inputs());
        for (size_t i = 0; i < graph_.nodes.size(); ++i) {
            auto status = check_node(graph_.nodes[i]);
            if (!status.ok()) {
                const Node& node = graph_.nodes[i];
                return status.error().within(message({"node ", i, " (", node.op, " '", node.name, "'): "}));
            }
        }
        for (ValueId id : graph_.outputs) {
            if (id >= graph_.values.size()) return bad("output refers to value ", id, " of ", graph_.values.size());
            if (!written_[id]) return bad("output '", graph_.values[id].name, "' is never written");
        }
        return {};
    }

 private:
    Status check_values() {
        // By hash, as most comparisons are of numbers then; sorted, as names may be made to collide.
        std::vector<std::pair<size_t, std::string_view>> names;
        names.reserve(graph_.values.size());
        for (size_t i = 0; i < graph_.values.size(); ++i) {
            const ValueInfo& info = graph_.values[i];
            if (info.name.empty()) return bad("value ", i, " has no name");
            names.emplace_back(std::hash<std::string_view>()(info.name), info.name);
            COFFER_TRY(check_type(info.name, info.type));
            if (info.constant == -1) continue;
            // A negative index is above every number of constants.
            if (static_cast<size_t>(info.constant) >= model_.constants.size()) {
                return bad("value '", info.name, "' refers to constant ", info.constant, " of ",
                           model_.constants.size());
            }
            COFFER_TRY(check_constant_type(info, model_.constants[static_cast<size_t>(info.constant)].tensor));
            written_[i] = true;
        }
        std::ranges::sort(names);
        const auto twice = std::ranges::adjacent_find(names);
        if (twice != names.end()) return bad("two values are named '", twice->second, "'");
        return {};
    }

    Status write(ValueId id) {
        if (id >= graph_.values.size()) return bad("value ", id, " of ", graph_.values.size());
        if (written_[id]) return bad("value '", graph_.values[id].name, "' is written twice");
        written_[id] = true;
        return {};
    }

    Status check_inputs() {
        for (ValueId id : graph_.inputs) {
            auto status = write(id);
            if (!status.ok()) return status.error().within("graph input: ");
        }
        return {};
    }

    Status check_node(const Node& node) {
        if (node.op.empty()) return bad("has no op");
        for (ValueId id : node.inputs) {
            if (id == kAbsent) continue;
            if (id >= graph_.values.size()) return bad("reads value ", id, " of ", graph_.values.size());
            if (!written_[id]) return bad("reads '", graph_.values[id].name, "' before it is written");
        }
        for (size_t i = 0; i < node.attrs.size(); ++i) {
            const Attr& attr = node.attrs[i];
            if (attr.name.empty()) return bad("attribute ", i, " has no name");
            if (node.find(attr.name) != &attr) return bad("attribute '", attr.name, "' is given twice");
            const auto* ref = std::get_if<GraphRef>(&attr.value);
            if (ref) COFFER_TRY(check_subgraph(node, attr.name, ref->index));
        }
        for (ValueId id : node.outputs) {
            if (id != kAbsent) COFFER_TRY(write(id));
        }
        return {};
    }

    Status check_subgraph(const Node& node, std::string_view attr, uint32_t child) {
        if (child >= model_.graphs.size()) {
            return bad("attribute '", attr, "' refers to graph ", child, " of ", model_.graphs.size());
        }
        if (child <= index_) {
            return bad("attribute '", attr, "' refers to graph ", child, " from graph ", index_,
                       ": a subgraph comes after the graph that holds it");
        }
        const Attr* captures = node.find("captures");
        if (!captures) return {};
        const auto* count = std::get_if<int64_t>(&captures->value);
        const size_t most = std::min(node.inputs.size(), model_.graphs[child].inputs.size());
        // A negative number is above all others.
        if (!count || static_cast<uint64_t>(*count) > most) {
            return bad("attribute 'captures' does not fit the ", node.inputs.size(), " inputs of the node and the ",
                       model_.graphs[child].inputs.size(), " of graph ", child);
        }
        return {};
    }

    const Model& model_;
    const Graph& graph_;
    uint32_t index_;
    std::vector<bool> written_;
};

// Children come after their parents (checked before), so one sweep finds every depth.
Status check_depth(const Model& model) {
    std::vector<int> depth(model.graphs.size(), 0);
    for (size_t i = 0; i < model.graphs.size(); ++i) {
        for (const Node& node : model.graphs[i].nodes) {
            for (const Attr& attr : node.attrs) {
                const auto* ref = std::get_if<GraphRef>(&attr.value);
                if (!ref) continue;
                int& child = depth[ref->index];
                child = std::max(child, depth[i] + 1);
                if (child > kMaxDepth) {
                    return error(Code::kUnsupported, Detail::kUnsupported, "node '", node.name,
                                 "': subgraphs are nested deeper than ", kMaxDepth);
                }
            }
        }
    }
    return {};
}

// The named value among `ids` of the main graph.
const ValueInfo* find_named(const Graph& graph, const std::vector<ValueId>& ids, std::string_view name) {
    const auto it = std::ranges::find_if(ids, [&](ValueId id) { return graph.values[id].name == name; });
    return it == ids.end() ? nullptr : &graph.values[*it];
}

Status check_states(const Model& model) {
    const Graph& main = model.graphs[0];
    std::unordered_set<std::string_view> inputs, outputs;
    for (const StatePair& state : model.states) {
        const ValueInfo* input = find_named(main, main.inputs, state.input);
        if (!input) return bad("state: the model has no input '", state.input, "'");
        if (!find_named(main, main.outputs, state.output)) {
            return bad("state: the model has no output '", state.output, "'");
        }
        if (!inputs.insert(state.input).second) return bad("state: input '", state.input, "' is used twice");
        if (!outputs.insert(state.output).second) return bad("state: output '", state.output, "' is used twice");
        if (state.initial && state.initial->dtype() != input->type.dtype) {
            return bad("state '", state.input, "': initial value is ", state.initial->dtype(), ", the input is ",
                       input->type.dtype);
        }
    }
    return {};
}

Status check_blobs(const Model& model) {
    std::unordered_set<std::string_view> names;
    for (const Blob& blob : model.blobs) {
        if (blob.name.empty()) return bad("an attached file has no name");
        if (!names.insert(blob.name).second) return bad("two attached files are named '", blob.name, "'");
    }
    return {};
}

}  // namespace

Status verify(const Model& model) {
    if (model.graphs.empty()) return bad("the model has no graph");
    for (size_t i = 0; i < model.constants.size(); ++i) {
        if (!model.constants[i].tensor.valid()) {
            return bad("constant ", i, " ('", model.constants[i].name, "') has no tensor");
        }
    }
    for (uint32_t i = 0; i < model.graphs.size(); ++i) {
        auto status = GraphCheck(model, i).run();
        if (!status.ok()) {
            return status.error().within(message({"graph ", i, " '", model.graphs[i].name, "': "}));
        }
    }
    COFFER_TRY(check_depth(model));
    COFFER_TRY(check_states(model));
    return check_blobs(model);
}

}  // namespace coffer::graph
