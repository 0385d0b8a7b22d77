// BatchNormalization, and multiplications and additions by constants per channel, folded into the weights of
// the convolution or matrix product before them.
#include <cmath>

#include "offline/passes/editor.hpp"
#include "offline/passes/list.hpp"

namespace coffer::offline::passes {
namespace {

// y[c] = x[c] * scale[c] + shift[c]
struct Affine {
    std::vector<double> scale, shift;
};

// Where the output channels lie in the weight tensor: weight element i belongs to channel_of(i).
struct Weights {
    int64_t channels = 0;
    int64_t inner = 0;   // elements between two channels
    int64_t groups = 1;  // ConvTranspose: channels are counted within a group
    int64_t outer = 0;   // elements between two groups
};

std::optional<Weights> weights_of(const Editor& e, const graph::Node& node) {
    const Tensor* w = e.constant(input(node, 1));
    if (!w || w->dtype() != DType::kFloat) return std::nullopt;
    const Shape& s = w->shape();
    if (node.op == "Conv" && s.rank() >= 3) return Weights{s[0], s.elements(1, s.rank()), 1, 0};
    if (node.op == "ConvTranspose" && s.rank() >= 3) {
        const int64_t groups = int_attr(node, "group", 1);
        if (groups < 1 || s[0] % groups != 0) return std::nullopt;
        return Weights{s[1] * groups, s.elements(2, s.rank()), groups, s[0] / groups * s.elements(1, s.rank())};
    }
    if (node.op == "Gemm" && s.rank() == 2 && float_attr(node, "alpha", 1) == 1 && float_attr(node, "beta", 1) == 1) {
        const bool transposed = int_attr(node, "transB", 0) != 0;
        return Weights{transposed ? s[0] : s[1], transposed ? s[1] : 1, 1, 0};
    }
    return std::nullopt;
}

int64_t channel_of(const Weights& w, int64_t i) {
    const int64_t per_group = w.channels / w.groups;
    const int64_t group = w.outer > 0 ? i / w.outer : 0;
    return group * per_group + i / w.inner % per_group;
}

bool bias_of(const Editor& e, const graph::Node& node, int64_t channels, std::vector<double>* bias) {
    bias->assign(static_cast<size_t>(channels), 0.0);
    const ValueId id = input(node, 2);
    if (id == graph::kAbsent) return true;
    const Tensor* b = e.constant(id);
    if (!b || b->dtype() != DType::kFloat || b->elements() != channels) return false;
    for (int64_t i = 0; i < channels; ++i) (*bias)[static_cast<size_t>(i)] = b->span<float>()[static_cast<size_t>(i)];
    return true;
}

std::optional<Affine> affine_of_batchnorm(const Editor& e, const graph::Node& bn, int64_t channels) {
    const Tensor* p[4];
    for (size_t i = 0; i < 4; ++i) {
        p[i] = e.constant(input(bn, i + 1));
        if (!p[i] || p[i]->elements() != channels) return std::nullopt;
    }
    if (int_attr(bn, "training_mode", 0) != 0) return std::nullopt;
    const double epsilon = float_attr(bn, "epsilon", 1e-5f);
    Affine a;
    for (int64_t i = 0; i < channels; ++i) {
        const double scale = load_double(p[0]->view(), i) / std::sqrt(load_double(p[3]->view(), i) + epsilon);
        a.scale.push_back(scale);
        a.shift.push_back(load_double(p[1]->view(), i) - load_double(p[2]->view(), i) * scale);
    }
    return a;
}

// A constant that has one value per channel, for an output of `rank` dims with channels on axis 1 (or last for
// a matrix product): (C, 1, 1), (1, C, 1, 1), or a single element. The rank is that of the weights.
std::optional<std::vector<double>> per_channel(const Tensor& t, int64_t channels, int rank, bool matrix) {
    if (t.dtype() != DType::kFloat) return std::nullopt;
    std::vector<double> values(static_cast<size_t>(channels));
    const Shape& s = t.shape();
    if (s.rank() > rank) return std::nullopt;
    if (t.elements() != 1) {
        const int axis = s.rank() - (matrix ? 1 : rank - 1);
        if (axis < 0 || s[axis] != channels || t.elements() != channels) return std::nullopt;
    }
    for (int64_t i = 0; i < channels; ++i) {
        values[static_cast<size_t>(i)] = load_double(t.view(), t.elements() == 1 ? 0 : i);
    }
    return values;
}

std::optional<Affine> affine_of(const Editor& e, const graph::Node& node, ValueId from, int64_t channels, int rank,
                                bool matrix) {
    if (node.op == "BatchNormalization" && !matrix) {
        return node.inputs[0] == from ? affine_of_batchnorm(e, node, channels) : std::nullopt;
    }
    if (node.inputs.size() != 2) return std::nullopt;
    const bool first = node.inputs[0] == from;
    const Tensor* c = e.constant(node.inputs[first ? 1 : 0]);
    if (!c) return std::nullopt;
    const auto values = per_channel(*c, channels, rank, matrix);
    if (!values) return std::nullopt;
    const auto n = static_cast<size_t>(channels);
    Affine a{std::vector<double>(n, 1.0), std::vector<double>(n, 0.0)};
    for (size_t i = 0; i < n; ++i) {
        const double v = (*values)[i];
        if (node.op == "Mul") {
            a.scale[i] = v;
        } else if (node.op == "Div" && first && v != 0) {
            a.scale[i] = 1 / v;
        } else if (node.op == "Add") {
            a.shift[i] = v;
        } else if (node.op == "Sub") {
            a.scale[i] = first ? 1 : -1;
            a.shift[i] = first ? -v : v;
        } else {
            return std::nullopt;
        }
    }
    return a;
}

Status apply(Editor& e, graph::Node& node, const Weights& layout, const Affine& a, std::vector<double> bias) {
    const Tensor& old = *e.constant(node.inputs[1]);
    COFFER_TRY_ASSIGN(Tensor weights, Tensor::create(DType::kFloat, old.shape()));
    for (int64_t i = 0; i < old.elements(); ++i) {
        const double w = old.span<float>()[static_cast<size_t>(i)];
        weights.span<float>()[static_cast<size_t>(i)] =
            static_cast<float>(w * a.scale[static_cast<size_t>(channel_of(layout, i))]);
    }
    COFFER_TRY_ASSIGN(Tensor shift, Tensor::create(DType::kFloat, Shape{layout.channels}));
    for (size_t i = 0; i < bias.size(); ++i)
        shift.span<float>()[i] = static_cast<float>(bias[i] * a.scale[i] + a.shift[i]);
    const std::string base = e.graph().values[node.inputs[1]].name;
    node.inputs[1] = e.add_constant(base + ".folded", std::move(weights));
    set_input(node, 2, e.add_constant(base + ".bias", std::move(shift)));
    return {};
}

}  // namespace

Result<size_t> fold_scales(graph::Model& model) {
    size_t folded = 0;
    for (size_t g = 0; g < model.graphs.size(); ++g) {
        Editor e(model, g);
        for (size_t n = 0; n < e.nodes().size(); ++n) {
            graph::Node& node = e.nodes()[n];
            const auto layout = weights_of(e, node);
            if (!layout) continue;
            graph::Node* next = e.only_reader(node);
            std::vector<double> bias;
            if (!next || next->outputs.size() != 1 || !bias_of(e, node, layout->channels, &bias)) continue;
            const int rank = e.constant(node.inputs[1])->shape().rank();
            const auto affine = affine_of(e, *next, node.outputs[0], layout->channels, rank, node.op == "Gemm");
            if (!affine) continue;
            COFFER_TRY(apply(e, node, *layout, *affine, bias));
            // The product now writes what the scale wrote.
            node.outputs[0] = next->outputs[0];
            next->outputs[0] = graph::kAbsent;
            e.sweep();
            ++folded;
        }
    }
    return folded;
}

}  // namespace coffer::offline::passes
