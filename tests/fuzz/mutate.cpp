#include "mutate.hpp"

#include <cmath>
#include <limits>

#include "coffer/ops/op.hpp"

namespace coffer::fuzz {
namespace {

std::string name_of(const ops::Facts& facts) {
    return *facts.domain ? std::string(facts.domain) + "::" + facts.name : facts.name;
}

}  // namespace

int64_t ModelMutator::number() {
    constexpr int64_t odd[] = {0,
                               1,
                               -1,
                               2,
                               3,
                               -2,
                               7,
                               8,
                               64,
                               255,
                               256,
                               65536,
                               -65536,
                               (int64_t{1} << 31) - 1,
                               int64_t{1} << 31,
                               -(int64_t{1} << 31),
                               int64_t{1} << 32,
                               int64_t{1} << 62,
                               std::numeric_limits<int64_t>::max(),
                               std::numeric_limits<int64_t>::min()};
    return chance(3) ? static_cast<int64_t>(below(9)) - 3 : odd[below(std::size(odd))];
}

float ModelMutator::real() {
    constexpr float odd[] = {0.0f, -0.0f, 1.0f, -1.0f, 0.5f, 1e30f, -1e30f, 1e-40f, INFINITY, -INFINITY, NAN};
    return chance(2) ? static_cast<float>(below(2001)) / 500 - 2 : odd[below(std::size(odd))];
}

DType ModelMutator::dtype() {
    // Half of all: the types that most ops take.
    constexpr DType common[] = {DType::kFloat, DType::kInt64, DType::kInt32,
                                DType::kUint8, DType::kInt8,  DType::kBool};
    return chance(2) ? common[below(std::size(common))] : static_cast<DType>(1 + below(kDTypeCount - 1));
}

Tensor ModelMutator::tensor() {
    Shape shape;
    size_t elements = 1;
    for (size_t rank = below(5); rank > 0; --rank) {
        const size_t dim = chance(8) ? 0 : 1 + below(chance(4) ? 17 : 4);
        if (elements * std::max<size_t>(dim, 1) > 4096) break;
        elements *= std::max<size_t>(dim, 1);
        shape.push_back(static_cast<int64_t>(dim));
    }
    auto made = Tensor::create(dtype(), shape);
    if (!made.ok()) return {};
    Tensor t = std::move(made).value();
    if (t.dtype() == DType::kString) {
        for (PrivateString& s : t.span<PrivateString>()) s.assign(chance(2) ? 1 : below(9), 'x');
        return t;
    }
    for (int64_t i = 0; i < t.elements(); ++i) {
        if (t.dtype() == DType::kBool) {
            t.span<bool>()[static_cast<size_t>(i)] = chance(2);
        } else if (is_floating(t.dtype())) {
            store_double(t.view(), i, real());
        } else {
            store_int(t.view(), i, number());
        }
    }
    return t;
}

graph::AttrValue ModelMutator::attr_value(int kind, const graph::Model& model) {
    constexpr const char* texts[] = {"",        "linear",    "nearest",   "cubic",      "NOTSET", "SAME_UPPER",
                                     "VALID",   "reverse",   "none",      "add",        "mul",    "max",
                                     "forward", "Relu",      "Tanh",      "constant",   "edge",   "reflect",
                                     "wrap",    "ij,jk->ik", "i...->...", "asymmetric", "DCR",    "\xc3\xa9"};
    switch (kind) {
        case ops::AttrSpec::kInt: return number();
        case ops::AttrSpec::kFloat: return real();
        case ops::AttrSpec::kString: return std::string(texts[below(std::size(texts))]);
        case ops::AttrSpec::kInts: {
            PrivateVector<int64_t> list(chance(20) ? 70 : below(7));
            for (int64_t& v : list) v = number();
            return list;
        }
        case ops::AttrSpec::kFloats: {
            PrivateVector<float> list(below(9));
            for (float& v : list) v = real();
            return list;
        }
        case ops::AttrSpec::kStrings: {
            PrivateVector<PrivateString> list(below(4));
            for (PrivateString& s : list) s = texts[below(std::size(texts))];
            return list;
        }
        case ops::AttrSpec::kTensor: return tensor();
        default: break;
    }
    return graph::GraphRef{static_cast<uint32_t>(below(model.graphs.size() + 1))};
}

void ModelMutator::change_attr(graph::Model& model, graph::Node& node) {
    const ops::Op* op = ops::find(node.op);
    if (!node.attrs.empty() && chance(3)) {
        if (chance(3)) {
            node.attrs.erase(node.attrs.begin() + static_cast<long>(below(node.attrs.size())));
        } else {
            graph::AttrValue& value = node.attrs[below(node.attrs.size())].value;
            value = attr_value(static_cast<int>(chance(8)            ? below(8)
                                                : value.index() == 0 ? 0
                                                                     : value.index()),
                               model);
        }
        return;
    }
    if (!op || op->facts->attrs.empty()) return;
    const ops::AttrSpec& spec = op->facts->attrs[below(op->facts->attrs.size())];
    node.set(spec.name, attr_value(spec.kind, model));
}

const ops::Op& ModelMutator::any_op() {
    const auto table = ops::table();
    return table[below(table.size())];
}

void ModelMutator::change_op(graph::Node& node) {
    node.op = name_of(*any_op().facts);
    if (chance(2)) node.attrs.clear();
}

void ModelMutator::rewire(graph::Graph& graph, size_t n) {
    graph::Node& node = graph.nodes[n];
    const auto any = [&]() -> graph::ValueId {
        return chance(8) ? graph::kAbsent : static_cast<graph::ValueId>(below(graph.values.size()));
    };
    const size_t what = below(4);
    if (what == 0 || node.inputs.empty()) node.inputs.push_back(any());
    if (what == 1) node.inputs.pop_back();
    if (what >= 2 && !node.inputs.empty()) node.inputs[below(node.inputs.size())] = any();
}

void ModelMutator::add_node(graph::Model& model, graph::Graph& graph, const ops::Op& op) {
    const ops::Facts& facts = *op.facts;
    graph::Node node;
    node.op = name_of(facts);
    node.name = "n" + std::to_string(graph.nodes.size());
    size_t inputs = static_cast<size_t>(facts.min_inputs);
    if (facts.max_inputs > facts.min_inputs)
        inputs += below(std::min<size_t>(4, static_cast<size_t>(facts.max_inputs - facts.min_inputs) + 1));
    for (size_t i = 0; i < inputs; ++i) {
        if (chance(3)) {
            const Tensor t = tensor();
            if (!t.valid()) return;
            node.inputs.push_back(model.add_constant(graph, "c" + std::to_string(graph.values.size()), t));
        } else {
            node.inputs.push_back(static_cast<graph::ValueId>(below(graph.values.size())));
        }
    }
    for (const ops::AttrSpec& spec : facts.attrs) {
        if (spec.required || chance(3)) node.attrs.push_back({spec.name, attr_value(spec.kind, model)});
    }
    size_t outputs = std::max<size_t>(static_cast<size_t>(facts.min_outputs), 1);
    if (facts.max_outputs > static_cast<int>(outputs)) outputs += below(3);
    for (size_t i = 0; i < outputs; ++i) {
        const auto id = graph.add_value("v" + std::to_string(graph.values.size()));
        node.outputs.push_back(id);
        if (i == 0 || chance(2)) graph.outputs.push_back(id);
    }
    graph.nodes.push_back(std::move(node));
}

void ModelMutator::change_value(graph::Graph& graph) {
    if (graph.values.empty()) return;
    graph::ValueInfo& value = graph.values[below(graph.values.size())];
    if (value.constant >= 0) return;
    if (chance(3)) value.type.dtype = dtype();
    if (chance(12)) value.type.kind = static_cast<ValueKind>(below(3));
    if (chance(8)) value.type.dims.reset();
    if (!value.type.dims) return;
    auto& dims = *value.type.dims;
    if (chance(4) && dims.size() < 8) dims.push_back({});
    if (chance(4) && !dims.empty()) dims.pop_back();
    if (!dims.empty()) {
        graph::Dim& dim = dims[below(dims.size())];
        dim = chance(4) ? graph::Dim{-1, "n"} : graph::Dim{static_cast<int64_t>(below(chance(4) ? 100 : 5)), ""};
    }
}

void ModelMutator::mutate(graph::Model& model) {
    if (model.graphs.empty()) return;
    for (size_t steps = 1 + below(4); steps > 0; --steps) {
        graph::Graph& graph = model.graphs[chance(3) ? below(model.graphs.size()) : 0];
        graph::Node* node = graph.nodes.empty() ? nullptr : &graph.nodes[below(graph.nodes.size())];
        switch (below(7)) {
            case 0:
                if (node) change_op(*node);
                break;
            case 1:
            case 2:
                if (node) change_attr(model, *node);
                break;
            case 3:
                if (node) rewire(graph, static_cast<size_t>(node - graph.nodes.data()));
                break;
            case 4: add_node(model, graph, any_op()); break;
            case 5: change_value(graph); break;
            default:
                if (!model.constants.empty()) {
                    const Tensor t = tensor();
                    const size_t which = below(model.constants.size());
                    if (!t.valid()) break;
                    model.constants[which].tensor = t;
                    for (graph::Graph& g : model.graphs) {
                        for (graph::ValueInfo& v : g.values) {
                            if (v.constant == static_cast<int32_t>(which))
                                v.type = graph::Type::tensor(t.dtype(), t.shape());
                        }
                    }
                }
        }
    }
}

}  // namespace coffer::fuzz
