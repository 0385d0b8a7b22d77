#include "runtime/layout.hpp"

#include <cstring>

namespace coffer::runtime {
namespace {

using ops::Layout;
using ops::LayoutRule;

PrivateVector<int64_t> permutation(int rank, Layout to) {
    PrivateVector<int64_t> perm{0};
    if (to == Layout::kChannelsLast) {
        for (int i = 2; i < rank; ++i) perm.push_back(i);
        perm.push_back(1);
    } else {
        perm.push_back(rank - 1);
        for (int i = 1; i < rank - 1; ++i) perm.push_back(i);
    }
    return perm;
}

bool has_permutation(const graph::Node& node, int rank, Layout to) {
    const graph::Attr* attr = node.find("perm");
    const auto* perm = attr ? std::get_if<PrivateVector<int64_t>>(&attr->value) : nullptr;
    return rank >= 3 && perm && *perm == permutation(rank, to);
}

LayoutChoice plain_choice(const std::vector<ops::Type>& in, const std::vector<ops::Type>& out) {
    LayoutChoice c;
    c.inputs.assign(in.size(), Layout::kPlain);
    c.outputs.assign(out.size(), Layout::kPlain);
    c.shapes.reserve(in.size());
    for (const ops::Type& t : in) c.shapes.push_back(t.shape);
    return c;
}

Shape padded(const Shape& shape, int rank) {
    Shape s;
    for (int i = shape.rank(); i < rank; ++i) s.push_back(1);
    for (int64_t d : shape.dims()) s.push_back(d);
    return s;
}

// Every operand can take part in channels-last order without a conversion that its rank does not allow, and
// more bytes are there already than would have to be moved.
bool elementwise_choice(const std::vector<ops::Type>& in, const std::vector<ops::Type>& out,
                        const std::vector<bool>& only_last, const std::vector<bool>& constant, LayoutChoice* c) {
    const Shape& full = out[0].shape;
    if (full.rank() < 3) return false;
    double here = 0, elsewhere = 0;
    for (size_t i = 0; i < in.size(); ++i) {
        if (in[i].dtype == DType::kUndefined) continue;
        const Shape shape = padded(in[i].shape, full.rank());
        const bool same = same_in_both_layouts(shape);
        if (!same && in[i].shape.rank() != full.rank()) return false;
        if (only_last[i]) here += static_cast<double>(shape.elements());
        if (!only_last[i] && !same && !constant[i]) elsewhere += static_cast<double>(shape.elements());
        c->inputs[i] = Layout::kChannelsLast;
        c->shapes[i] = shape;
    }
    for (size_t i = 0; i < out.size(); ++i) c->outputs[i] = Layout::kChannelsLast;
    return here > elsewhere;
}

bool axis_choice(const std::vector<ops::Type>& in, const std::vector<ops::Type>& out,
                 const std::vector<bool>& only_last, const std::vector<bool>& constant, LayoutChoice* c) {
    const int rank = in[0].shape.rank();
    if (rank < 3 || out[0].shape.rank() != rank) return false;
    double here = 0, elsewhere = 0;
    for (size_t i = 0; i < in.size(); ++i) {
        if (in[i].dtype == DType::kUndefined || in[i].shape.rank() != rank) continue;
        if (only_last[i]) here += static_cast<double>(in[i].shape.elements());
        if (!only_last[i] && !constant[i] && !same_in_both_layouts(in[i].shape))
            elsewhere += static_cast<double>(in[i].shape.elements());
        c->inputs[i] = Layout::kChannelsLast;
    }
    for (size_t i = 0; i < out.size(); ++i) {
        if (out[i].shape.rank() == rank) c->outputs[i] = Layout::kChannelsLast;
    }
    return here > elsewhere;
}

bool channels_choice(const std::vector<ops::Type>& in, const std::vector<ops::Type>& out,
                     const std::vector<bool>& constant, LayoutChoice* c) {
    const int rank = in[0].shape.rank();
    if (rank < 3 || out[0].shape.rank() != rank) return false;
    c->inputs[0] = c->outputs[0] = Layout::kChannelsLast;
    // A residual comes in the layout of the output. Input 1 are weights, which keep theirs; other ops have them
    // elsewhere, but take constant ones alone.
    for (size_t i = 2; i < in.size(); ++i) {
        if (!constant[i] && in[i].dtype != DType::kUndefined && in[i].shape == out[0].shape) {
            c->inputs[i] = Layout::kChannelsLast;
        }
    }
    return true;
}

}  // namespace

bool same_in_both_layouts(const Shape& shape) {
    return shape.rank() < 3 || shape[1] == 1 || shape.elements(2, shape.rank()) == 1;
}

graph::Node layout_node(int rank, Layout to) {
    graph::Node node;
    node.op = "Transpose";
    node.name = to == Layout::kPlain ? "to plain" : "to channels-last";
    node.inputs = node.outputs = {graph::kAbsent - 1};  // no value of the graph
    node.set("perm", permutation(rank, to));
    return node;
}

Result<Tensor> to_channels_last(const Tensor& tensor) {
    const Shape& s = tensor.shape();
    if (s.elements() == 0 || same_in_both_layouts(s)) return tensor;
    COFFER_TRY_ASSIGN(Tensor out, Tensor::create(tensor.dtype(), s));
    const auto size = static_cast<int64_t>(dtype_bits(tensor.dtype())) / 8;
    const int64_t channels = s[1], positions = s.elements(2, s.rank());
    const auto* src = tensor.view().as<const std::byte>();
    auto* dst = out.view().as<std::byte>();
    for (int64_t n = 0; n < s[0]; ++n) {
        for (int64_t c = 0; c < channels; ++c) {
            for (int64_t p = 0; p < positions; ++p) {
                std::memcpy(dst + ((n * positions + p) * channels + c) * size,
                            src + ((n * channels + c) * positions + p) * size, static_cast<size_t>(size));
            }
        }
    }
    return out;
}

bool is_from_channels_last(const graph::Node& transpose, int rank) {
    return has_permutation(transpose, rank, Layout::kPlain);
}
bool is_to_channels_last(const graph::Node& transpose, int rank) {
    return has_permutation(transpose, rank, Layout::kChannelsLast);
}

std::vector<LayoutChoice> layout_choices(const ops::Facts& facts, const std::vector<ops::Type>& in,
                                         const std::vector<ops::Type>& out, const std::vector<bool>& only_last,
                                         const std::vector<bool>& constant) {
    std::vector<LayoutChoice> choices;
    choices.reserve(2);
    LayoutChoice last = plain_choice(in, out);
    // Sub-byte elements have no channels-last form.
    bool whole_bytes = !in.empty() && !out.empty();
    for (const ops::Type& t : in) whole_bytes &= t.dtype == DType::kUndefined || dtype_bits(t.dtype) >= 8;
    const LayoutRule rule = whole_bytes ? facts.layout : LayoutRule::kPlain;
    bool try_last = false;
    if (rule == LayoutRule::kElementwise) try_last = elementwise_choice(in, out, only_last, constant, &last);
    if (rule == LayoutRule::kAxis) try_last = axis_choice(in, out, only_last, constant, &last);
    if (rule == LayoutRule::kChannels || rule == LayoutRule::kFollow)
        try_last = channels_choice(in, out, constant, &last);
    const bool plain_first = rule == LayoutRule::kFollow && !only_last[0];
    if (try_last && !plain_first) choices.push_back(std::move(last));
    choices.push_back(plain_choice(in, out));
    if (try_last && plain_first) choices.push_back(std::move(last));
    return choices;
}

}  // namespace coffer::runtime
