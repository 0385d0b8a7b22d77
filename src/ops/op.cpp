#include "coffer/ops/op.hpp"

#include "ops/layout.hpp"

namespace coffer::ops {
namespace {

const AttrSpec* spec(const Facts& facts, std::string_view name) {
    for (const AttrSpec& s : facts.attrs) {
        if (s.name == name) return &s;
    }
    assert(!"attribute not declared in facts");
    return nullptr;
}

template <class T>
const T* value(const graph::Node& node, std::string_view name) {
    const graph::Attr* attr = node.find(name);
    return attr ? std::get_if<T>(&attr->value) : nullptr;
}

std::string full_name(const Facts& facts) {
    return *facts.domain ? std::string(facts.domain) + "::" + facts.name : facts.name;
}

const char* kind_name(AttrSpec::Kind kind) {
    constexpr const char* names[] = {"int", "float", "string", "ints", "floats", "strings", "tensor", "graph"};
    return names[kind];
}

bool has_kind(const graph::AttrValue& value, AttrSpec::Kind kind) {
    switch (kind) {
        case AttrSpec::kInt: return std::holds_alternative<int64_t>(value);
        case AttrSpec::kFloat: return std::holds_alternative<float>(value);
        case AttrSpec::kString: return std::holds_alternative<std::string>(value);
        case AttrSpec::kInts: return std::holds_alternative<PrivateVector<int64_t>>(value);
        case AttrSpec::kFloats: return std::holds_alternative<PrivateVector<float>>(value);
        case AttrSpec::kStrings: return std::holds_alternative<PrivateVector<PrivateString>>(value);
        case AttrSpec::kTensor: return std::holds_alternative<Tensor>(value);
        case AttrSpec::kGraph: return std::holds_alternative<graph::GraphRef>(value);
    }
    return false;
}

}  // namespace

int64_t NodeContext::attr_i(std::string_view name) const {
    const auto* v = value<int64_t>(node_, name);
    return v ? *v : spec(facts_, name)->int_default;
}
float NodeContext::attr_f(std::string_view name) const {
    const auto* v = value<float>(node_, name);
    return v ? *v : spec(facts_, name)->float_default;
}
std::string_view NodeContext::attr_s(std::string_view name) const {
    const auto* v = value<std::string>(node_, name);
    return v ? std::string_view(*v) : spec(facts_, name)->string_default;
}
// List attributes of more than 64 elements are stored as tensors in the container (format.md 5.10) and come
// back as lists when the graph is decoded, so that only one form is seen here.
std::span<const int64_t> NodeContext::attr_ints(std::string_view name) const {
    const auto* v = value<PrivateVector<int64_t>>(node_, name);
    return v ? std::span<const int64_t>(*v) : std::span<const int64_t>();
}
std::span<const float> NodeContext::attr_floats(std::string_view name) const {
    const auto* v = value<PrivateVector<float>>(node_, name);
    return v ? std::span<const float>(*v) : std::span<const float>();
}
std::span<const PrivateString> NodeContext::attr_strings(std::string_view name) const {
    const auto* v = value<PrivateVector<PrivateString>>(node_, name);
    return v ? std::span<const PrivateString>(*v) : std::span<const PrivateString>();
}
const Tensor* NodeContext::attr_tensor(std::string_view name) const {
    return value<Tensor>(node_, name);
}

Error NodeContext::describe(Code code, std::string text) const {
    std::string where = full_name(facts_);
    if (!node_.name.empty()) where += " '" + node_.name + "'";
    return error(code, code == Code::kUnsupported ? Detail::kUnsupported : Detail::kNone, where, ": ", text);
}

bool InferContext::known_ints(size_t i, std::span<int64_t> storage, std::span<const int64_t>* out) const {
    const TensorView* t = known(i);
    if (!t || !is_integer(t->dtype)) return false;
    const auto n = static_cast<size_t>(t->elements());
    if (n > storage.size()) return false;
    for (size_t k = 0; k < n; ++k) storage[k] = load_int(*t, static_cast<int64_t>(k));
    *out = storage.first(n);
    return true;
}

Shape PlanContext::input_dims(size_t i) const {
    return input_layout(i) == Layout::kChannelsLast ? channels_last(input(i).shape) : input(i).shape;
}
Shape PlanContext::output_dims(size_t i) const {
    return output_layout(i) == Layout::kChannelsLast ? channels_last(output(i).shape) : output(i).shape;
}

Status check_node(const Op& op, const graph::Node& node) {
    const Facts& f = *op.facts;
    const NodeContext c(f, node);
    const auto inputs = static_cast<int>(node.inputs.size());
    const auto outputs = static_cast<int>(node.outputs.size());
    if (inputs < f.min_inputs || inputs > f.max_inputs) {
        return c.fail("takes ", f.min_inputs, " to ", f.max_inputs, " inputs, the node has ", inputs);
    }
    if (outputs < f.min_outputs || outputs > f.max_outputs) {
        return c.fail("gives ", f.min_outputs, " to ", f.max_outputs, " outputs, the node has ", outputs);
    }
    for (int i = 0; i < f.min_inputs; ++i) {
        if (!c.has_input(static_cast<size_t>(i))) return c.fail("input ", i, " is missing");
    }
    for (const AttrSpec& s : f.attrs) {
        const graph::Attr* attr = node.find(s.name);
        if (!attr && s.required) return c.fail("attribute '", s.name, "' is missing");
        if (attr && !has_kind(attr->value, s.kind)) {
            return c.fail("attribute '", s.name, "' is not of type ", kind_name(s.kind));
        }
    }
    return {};
}

}  // namespace coffer::ops
