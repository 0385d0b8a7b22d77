// Text form of a model. One line a node; constants show their values when they are few.
#include <cctype>
#include <cstdio>

#include "coffer/graph/graph.hpp"

namespace coffer::graph {
namespace {

constexpr int64_t kShownElements = 8;

// Names come from files: whatever is not a plain word is quoted, with control characters escaped.
std::string quoted(std::string_view text) {
    std::string out = "\"";
    for (unsigned char c : text) {
        if (c == '"' || c == '\\') {
            out += '\\';
            out += static_cast<char>(c);
        } else if (c < 0x20 || c == 0x7f) {
            char hex[5];
            std::snprintf(hex, sizeof hex, "\\x%02x", c);
            out += hex;
        } else {
            out += static_cast<char>(c);
        }
    }
    return out + '"';
}

std::string name_text(std::string_view name) {
    const auto plain = [](unsigned char c) {
        return std::isalnum(c) || c == '_' || c == '.' || c == '/' || c == ':';
    };
    for (unsigned char c : name) {
        if (!plain(c)) return quoted(name);
    }
    return name.empty() ? "\"\"" : std::string(name);
}

std::string number(double value) {
    char text[32];
    std::snprintf(text, sizeof text, "%.9g", value);
    return text;
}
std::string element(int64_t value) {
    return std::to_string(value);
}
std::string element(float value) {
    return number(value);
}
std::string element(std::string_view value) {
    return quoted(value);
}

// "[a, b, c]", cut after kShownElements.
template <class At>
std::string list(int64_t count, At&& at) {
    std::string out = "[";
    for (int64_t i = 0; i < count && i < kShownElements; ++i) {
        if (i > 0) out += ", ";
        out += at(i);
    }
    if (count > kShownElements) out += ", ... " + std::to_string(count) + " in all";
    return out + "]";
}

std::string tensor_element(const TensorView& t, int64_t i) {
    if (t.dtype == DType::kString) return quoted(t.as<const PrivateString>()[i]);
    if (is_floating(t.dtype)) return number(load_double(t, i));
    if (t.dtype == DType::kUint64) return std::to_string(t.as<const uint64_t>()[i]);
    return std::to_string(load_int(t, i));
}

std::string tensor_text(const Tensor& tensor) {
    std::string out = to_text(tensor.dtype()) + to_text(tensor.shape());
    const bool is_complex = tensor.dtype() == DType::kComplex64 || tensor.dtype() == DType::kComplex128;
    if (is_complex || tensor.elements() > kShownElements) return out;
    return out + " = " + list(tensor.elements(), [&](int64_t i) { return tensor_element(tensor.view(), i); });
}

std::string dim_text(const Dim& dim) {
    if (dim.known()) return std::to_string(dim.value);
    return dim.symbol.empty() ? "?" : name_text(dim.symbol);
}

std::string type_text(const Type& type) {
    std::string out = type.dtype == DType::kUndefined ? "?" : to_text(type.dtype);
    if (type.dims) {
        out += "(";
        for (size_t i = 0; i < type.dims->size(); ++i) out += (i > 0 ? ", " : "") + dim_text((*type.dims)[i]);
        out += ")";
    }
    if (type.kind == ValueKind::kSequence) return "sequence<" + out + ">";
    if (type.kind == ValueKind::kOptional) return "optional<" + out + ">";
    return out;
}

struct AttrText {
    std::string operator()(int64_t v) const { return element(v); }
    std::string operator()(float v) const { return number(v); }
    std::string operator()(const std::string& v) const { return quoted(v); }
    std::string operator()(const Tensor& v) const { return tensor_text(v); }
    std::string operator()(const GraphRef& v) const { return "graph " + std::to_string(v.index); }
    template <class T>
    std::string operator()(const PrivateVector<T>& v) const {
        return list(static_cast<int64_t>(v.size()), [&](int64_t i) { return element(v[static_cast<size_t>(i)]); });
    }
};

std::string value_text(const Graph& graph, ValueId id) {
    if (id == kAbsent) return "-";
    return id < graph.values.size() ? name_text(graph.values[id].name) : "<value " + std::to_string(id) + ">";
}

std::string values_text(const Graph& graph, const std::vector<ValueId>& ids) {
    std::string out;
    for (size_t i = 0; i < ids.size(); ++i) out += (i > 0 ? ", " : "") + value_text(graph, ids[i]);
    return out;
}

std::string node_text(const Graph& graph, const Node& node) {
    std::string out =
        values_text(graph, node.outputs) + " = " + node.op + "(" + values_text(graph, node.inputs) + ")";
    for (size_t i = 0; i < node.attrs.size(); ++i) {
        out += (i > 0 ? ", " : " {") + node.attrs[i].name + "=" + std::visit(AttrText{}, node.attrs[i].value);
    }
    if (!node.attrs.empty()) out += "}";
    if (!node.name.empty()) out += "  # " + name_text(node.name);
    return out;
}

std::string typed_value(const Graph& graph, ValueId id) {
    std::string out = value_text(graph, id);
    if (id < graph.values.size()) out += ": " + type_text(graph.values[id].type);
    return out;
}

std::string graph_text(const Model& model, size_t index) {
    const Graph& graph = model.graphs[index];
    std::string out = "graph " + std::to_string(index) + " " + name_text(graph.name) + "\n";
    for (ValueId id : graph.inputs) out += "  input " + typed_value(graph, id) + "\n";
    for (const ValueInfo& info : graph.values) {
        if (info.constant < 0) continue;
        const auto number_of = static_cast<size_t>(info.constant);
        out += "  const " + name_text(info.name) + ": ";
        out += number_of < model.constants.size() ? tensor_text(model.constants[number_of].tensor) : "<missing>";
        out += "\n";
    }
    for (const Node& node : graph.nodes) out += "  " + node_text(graph, node) + "\n";
    for (ValueId id : graph.outputs) out += "  output " + typed_value(graph, id) + "\n";
    return out;
}

}  // namespace

std::string dump(const Model& model) {
    std::string out = "model " + name_text(model.name) + " version " + std::to_string(model.version);
    if (!model.producer.empty()) out += " by " + quoted(model.producer);
    out += "\n";
    for (const auto& [key, value] : model.metadata) out += "meta " + name_text(key) + " = " + quoted(value) + "\n";
    for (const StatePair& state : model.states) {
        out += "state " + name_text(state.output) + " -> " + name_text(state.input) + "\n";
    }
    for (const Blob& blob : model.blobs) {
        out += "attached " + name_text(blob.name) + " (" + std::to_string(blob.bytes.size()) + " bytes)\n";
    }
    for (size_t i = 0; i < model.graphs.size(); ++i) out += graph_text(model, i);
    return out;
}

}  // namespace coffer::graph
