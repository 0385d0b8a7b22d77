#include "coffer/graph/graph.hpp"

#include <algorithm>

namespace coffer::graph {

std::optional<Shape> Type::shape() const {
    if (!dims || dims->size() > kMaxRank) return std::nullopt;
    Shape shape;
    for (const Dim& dim : *dims) {
        if (!dim.known()) return std::nullopt;
        shape.push_back(dim.value);
    }
    return shape;
}

Type Type::tensor(DType dtype, const Shape& shape) {
    Type type;
    type.dtype = dtype;
    type.dims.emplace();
    for (int64_t dim : shape.dims()) type.dims->push_back({dim, {}});
    return type;
}

const Attr* Node::find(std::string_view attr) const {
    const auto it = std::ranges::find(attrs, attr, &Attr::name);
    return it == attrs.end() ? nullptr : &*it;
}

void Node::set(std::string_view attr, AttrValue value) {
    const auto it = std::ranges::find(attrs, attr, &Attr::name);
    if (it != attrs.end()) {
        it->value = std::move(value);
        return;
    }
    attrs.push_back({std::string(attr), std::move(value)});
}

void Node::erase(std::string_view attr) {
    std::erase_if(attrs, [&](const Attr& a) { return a.name == attr; });
}

ValueId Graph::add_value(std::string value_name, Type type) {
    values.push_back({std::move(value_name), std::move(type), -1});
    return static_cast<ValueId>(values.size() - 1);
}

ValueId Model::add_constant(Graph& graph, std::string constant_name, Tensor tensor) {
    const ValueId id = graph.add_value(constant_name, Type::tensor(tensor.dtype(), tensor.shape()));
    graph.values[id].constant = static_cast<int32_t>(constants.size());
    constants.push_back({std::move(constant_name), std::move(tensor)});
    return id;
}

const Tensor* Model::constant(const Graph& graph, ValueId id) const {
    if (id >= graph.values.size()) return nullptr;
    const int32_t index = graph.values[id].constant;
    return index < 0 ? nullptr : &constants[static_cast<size_t>(index)].tensor;
}

}  // namespace coffer::graph
