#include "offline/passes/passes.hpp"

#include <algorithm>
#include <array>

#include "offline/passes/editor.hpp"
#include "offline/passes/list.hpp"

namespace coffer::offline {
namespace {

constexpr int kMaxRounds = 20;

struct Pass {
    const char* name;
    Result<size_t> (*run)(graph::Model&);
};

// Order matters only for speed: the list runs until nothing changes.
constexpr std::array kPasses = {
    Pass{"fold_constants", passes::fold_constants},
    Pass{"fold_shapes", passes::fold_shapes},
    Pass{"merge_constants", passes::merge_constants},
    Pass{"remove_identities", passes::remove_identities},
    Pass{"fold_scales", passes::fold_scales},
    Pass{"recognise_activations", passes::recognise_activations},
    Pass{"recognise_layer_norm", passes::recognise_layer_norm},
    Pass{"recognise_lookups", passes::recognise_lookups},
    Pass{"flatten_trees", passes::flatten_trees},
    Pass{"fuse_bias", passes::fuse_bias},
    Pass{"fuse_residual", passes::fuse_residual},
    Pass{"fuse_activations", passes::fuse_activations},
    Pass{"sink_dequantize", passes::sink_dequantize},
    Pass{"integer_products", passes::integer_products},
    Pass{"integer_dynamic", passes::integer_dynamic},
    Pass{"integer_elementwise", passes::integer_elementwise},
};

void collect_graphs(const graph::Model& model, uint32_t index, std::vector<bool>& used) {
    used[index] = true;
    for (const graph::Node& node : model.graphs[index].nodes) {
        for (const graph::Attr& attr : node.attrs) {
            const auto* ref = std::get_if<graph::GraphRef>(&attr.value);
            if (ref && !used[ref->index]) collect_graphs(model, ref->index, used);
        }
    }
}

void drop_unused_graphs(graph::Model& model) {
    std::vector<bool> used(model.graphs.size(), false);
    collect_graphs(model, 0, used);
    std::vector<uint32_t> number(model.graphs.size(), 0);
    uint32_t next = 0;
    for (size_t i = 0; i < used.size(); ++i) number[i] = used[i] ? next++ : 0;
    size_t i = 0;
    std::erase_if(model.graphs, [&](const graph::Graph&) { return !used[i++]; });
    for (graph::Graph& g : model.graphs) {
        for (graph::Node& node : g.nodes) {
            for (graph::Attr& attr : node.attrs) {
                if (auto* ref = std::get_if<graph::GraphRef>(&attr.value)) ref->index = number[ref->index];
            }
        }
    }
}

void drop_unused_values(graph::Graph& g) {
    std::vector<bool> used(g.values.size(), false);
    const auto mark = [&](const std::vector<ValueId>& ids) {
        for (ValueId id : ids) {
            if (id != graph::kAbsent) used[id] = true;
        }
    };
    mark(g.inputs);
    mark(g.outputs);
    for (const graph::Node& node : g.nodes) {
        mark(node.inputs);
        mark(node.outputs);
    }
    std::vector<ValueId> number(g.values.size(), 0);
    ValueId next = 0;
    for (size_t i = 0; i < used.size(); ++i) number[i] = used[i] ? next++ : 0;
    size_t i = 0;
    std::erase_if(g.values, [&](const graph::ValueInfo&) { return !used[i++]; });
    const auto renumber = [&](std::vector<ValueId>& ids) {
        for (ValueId& id : ids) {
            if (id != graph::kAbsent) id = number[id];
        }
    };
    renumber(g.inputs);
    renumber(g.outputs);
    for (graph::Node& node : g.nodes) {
        renumber(node.inputs);
        renumber(node.outputs);
    }
}

void drop_unused_constants(graph::Model& model) {
    std::vector<int32_t> number(model.constants.size(), -1);
    for (const graph::Graph& g : model.graphs) {
        for (const graph::ValueInfo& v : g.values) {
            if (v.constant >= 0) number[static_cast<size_t>(v.constant)] = 0;
        }
    }
    int32_t next = 0;
    for (int32_t& n : number) n = n < 0 ? -1 : next++;
    size_t i = 0;
    std::erase_if(model.constants, [&](const graph::Constant&) { return number[i++] < 0; });
    for (graph::Graph& g : model.graphs) {
        for (graph::ValueInfo& v : g.values) {
            if (v.constant >= 0) v.constant = number[static_cast<size_t>(v.constant)];
        }
    }
}

}  // namespace

void compact(graph::Model& model) {
    for (size_t g = 0; g < model.graphs.size(); ++g) Editor(model, g).sweep();
    drop_unused_graphs(model);
    for (graph::Graph& g : model.graphs) drop_unused_values(g);
    drop_unused_constants(model);
}

Result<std::vector<PassStats>> optimize(graph::Model& model) {
    std::vector<PassStats> stats;
    for (const Pass& pass : kPasses) stats.push_back({pass.name, 0});
    for (int round = 0; round < kMaxRounds; ++round) {
        size_t changes = 0;
        for (size_t i = 0; i < kPasses.size(); ++i) {
            auto made = kPasses[i].run(model);
            if (!made) return made.error().within(message({"pass ", kPasses[i].name, ": "}));
            const Status ok = graph::verify(model);
            if (!ok) return ok.error().within(message({"after pass ", kPasses[i].name, ": "}));
            stats[i].changes += *made;
            changes += *made;
        }
        if (changes == 0) break;
    }
    compact(model);
    return stats;
}

std::vector<std::string> pass_names() {
    std::vector<std::string> names;
    for (const Pass& pass : kPasses) names.emplace_back(pass.name);
    return names;
}

}  // namespace coffer::offline
