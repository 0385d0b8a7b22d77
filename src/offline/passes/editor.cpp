#include "offline/passes/editor.hpp"

#include <algorithm>

namespace coffer::offline {

void Editor::refresh() {
    producer_.assign(graph_.values.size(), -1);
    reader_.assign(graph_.values.size(), -1);
    uses_.assign(graph_.values.size(), 0);
    for (size_t n = 0; n < graph_.nodes.size(); ++n) {
        for (ValueId id : graph_.nodes[n].outputs) {
            if (id != graph::kAbsent) producer_[id] = static_cast<int32_t>(n);
        }
        for (ValueId id : graph_.nodes[n].inputs) {
            if (id == graph::kAbsent) continue;
            ++uses_[id];
            reader_[id] = static_cast<int32_t>(n);
        }
    }
    for (ValueId id : graph_.outputs) ++uses_[id];
}

graph::Node* Editor::producer(ValueId id, std::string_view op) const {
    if (id == graph::kAbsent || producer_[id] < 0) return nullptr;
    graph::Node& node = graph_.nodes[static_cast<size_t>(producer_[id])];
    return op.empty() || node.op == op ? &node : nullptr;
}

graph::Node* Editor::only_reader(const graph::Node& node, std::string_view op) const {
    const ValueId id = node.outputs[0];
    if (id == graph::kAbsent || uses_[id] != 1 || reader_[id] < 0) return nullptr;
    graph::Node& reader = graph_.nodes[static_cast<size_t>(reader_[id])];
    return op.empty() || reader.op == op ? &reader : nullptr;
}

bool Editor::is_output(ValueId id) const {
    return std::ranges::find(graph_.outputs, id) != graph_.outputs.end();
}

std::optional<double> Editor::scalar(ValueId id) const {
    if (id == graph::kAbsent) return std::nullopt;
    const Tensor* t = constant(id);
    if (!t || t->elements() != 1 || t->dtype() == DType::kString) return std::nullopt;
    return load_double(t->view(), 0);
}

ValueId Editor::add_constant(std::string_view name, Tensor tensor) {
    std::string unique(name);
    const auto taken = [&](const std::string& n) {
        return std::ranges::any_of(graph_.values, [&](const graph::ValueInfo& v) { return v.name == n; });
    };
    for (int i = 1; taken(unique); ++i) unique = std::string(name) + "." + std::to_string(i);
    const ValueId id = model_.add_constant(graph_, unique, std::move(tensor));
    producer_.resize(graph_.values.size(), -1);
    reader_.resize(graph_.values.size(), -1);
    uses_.resize(graph_.values.size(), 0);
    return id;
}

bool Editor::replace(ValueId from, ValueId to) {
    if (is_output(from)) return false;
    for (graph::Node& node : graph_.nodes) std::ranges::replace(node.inputs, from, to);
    refresh();
    return true;
}

size_t Editor::sweep() {
    std::vector<bool> wanted(graph_.values.size(), false);
    for (ValueId id : graph_.outputs) wanted[id] = true;
    std::vector<bool> keep(graph_.nodes.size(), false);
    for (size_t n = graph_.nodes.size(); n-- > 0;) {
        for (ValueId id : graph_.nodes[n].outputs) keep[n] = keep[n] || (id != graph::kAbsent && wanted[id]);
        if (!keep[n]) continue;
        for (ValueId id : graph_.nodes[n].inputs) {
            if (id != graph::kAbsent) wanted[id] = true;
        }
    }
    size_t n = 0;
    const size_t removed = std::erase_if(graph_.nodes, [&](const graph::Node&) { return !keep[n++]; });
    refresh();
    return removed;
}

int64_t int_attr(const graph::Node& node, std::string_view name, int64_t fallback) {
    const graph::Attr* attr = node.find(name);
    const auto* v = attr ? std::get_if<int64_t>(&attr->value) : nullptr;
    return v ? *v : fallback;
}
float float_attr(const graph::Node& node, std::string_view name, float fallback) {
    const graph::Attr* attr = node.find(name);
    const auto* v = attr ? std::get_if<float>(&attr->value) : nullptr;
    return v ? *v : fallback;
}
std::string string_attr(const graph::Node& node, std::string_view name) {
    const graph::Attr* attr = node.find(name);
    const auto* v = attr ? std::get_if<std::string>(&attr->value) : nullptr;
    return v ? *v : std::string();
}
PrivateVector<int64_t> ints_attr(const graph::Node& node, std::string_view name) {
    const graph::Attr* attr = node.find(name);
    const auto* v = attr ? std::get_if<PrivateVector<int64_t>>(&attr->value) : nullptr;
    return v ? *v : PrivateVector<int64_t>();
}
ValueId input(const graph::Node& node, size_t i) {
    return i < node.inputs.size() ? node.inputs[i] : graph::kAbsent;
}
void set_input(graph::Node& node, size_t i, ValueId id) {
    if (node.inputs.size() <= i) node.inputs.resize(i + 1, graph::kAbsent);
    node.inputs[i] = id;
}

}  // namespace coffer::offline
