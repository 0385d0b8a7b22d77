// Small models built in memory, for tests of the runtime and the API.
#pragma once

#include <bit>
#include <cmath>
#include <initializer_list>
#include <string>
#include <vector>

#include "coffer/graph/graph.hpp"
#include "runtime/runner.hpp"

namespace coffer::test {

inline graph::Type type(DType dtype, std::initializer_list<int64_t> dims) {
    graph::Type t;
    t.dtype = dtype;
    t.dims.emplace();
    for (int64_t d : dims) t.dims->push_back({d, d < 0 ? "batch" : ""});
    return t;
}

// Deterministic numbers in [-1, 1).
inline Tensor noise(const Shape& shape, uint32_t seed) {
    Tensor t = Tensor::create(DType::kFloat, shape).value();
    for (float& x : t.span<float>()) {
        seed = seed * 1664525u + 1013904223u;
        x = static_cast<float>(seed >> 8) / 8388608.0f - 1.0f;
    }
    return t;
}

// So that a writer stores them in 16 bits.
inline void round_to_halves(Tensor& tensor) {
    if (tensor.dtype() != DType::kFloat) return;
    for (float& f : tensor.span<float>()) {
        f = std::abs(f) < 0.001f ? 0 : std::bit_cast<float>(std::bit_cast<uint32_t>(f) & 0xffffe000u);
    }
}

class Builder {
 public:
    Builder() { model.graphs.emplace_back(); }

    graph::ValueId input(const std::string& name, graph::Type t, size_t g = 0) {
        const graph::ValueId id = model.graphs[g].add_value(name, std::move(t));
        model.graphs[g].inputs.push_back(id);
        return id;
    }
    graph::ValueId constant(const std::string& name, Tensor t, size_t g = 0) {
        return model.add_constant(model.graphs[g], name, std::move(t));
    }
    graph::ValueId node(const std::string& op, std::vector<graph::ValueId> inputs,
                        std::vector<graph::Attr> attrs = {}, size_t g = 0) {
        graph::Graph& graph = model.graphs[g];
        const graph::ValueId out = graph.add_value("v" + std::to_string(graph.values.size()));
        graph.nodes.push_back(
            {op, "n" + std::to_string(graph.nodes.size()), std::move(inputs), {out}, std::move(attrs)});
        return out;
    }
    void output(graph::ValueId id, const std::string& name, graph::Type t = {}, size_t g = 0) {
        model.graphs[g].values[id].name = name;
        model.graphs[g].values[id].type = std::move(t);
        model.graphs[g].outputs.push_back(id);
    }
    std::shared_ptr<const runtime::Model> build() { return runtime::Model::create(model).value(); }

    graph::Model model;
};

// Conv, Relu, pooling and a matrix product over (batch, 3, 16, 16).
inline Builder small_cnn() {
    Builder b;
    const auto x = b.input("x", type(DType::kFloat, {-1, 3, 16, 16}));
    const auto w = b.constant("w", noise({24, 3, 3, 3}, 1)), bias = b.constant("b", noise({24}, 2));
    const auto conv = b.node("Conv", {x, w, bias}, {{"pads", PrivateVector<int64_t>{1, 1, 1, 1}}});
    const auto relu = b.node("Relu", {conv});
    const auto pooled =
        b.node("MaxPool", {relu},
               {{"kernel_shape", PrivateVector<int64_t>{2, 2}}, {"strides", PrivateVector<int64_t>{2, 2}}});
    const auto mean = b.node("GlobalAveragePool", {pooled});
    const auto flat = b.node("Flatten", {mean});
    const auto y = b.node("Gemm", {flat, b.constant("m", noise({24, 10}, 3)), b.constant("c", noise({10}, 4))});
    const auto p = b.node("Softmax", {y}, {{"axis", int64_t{-1}}});
    b.output(p, "p", type(DType::kFloat, {-1, 10}));
    return b;
}

}  // namespace coffer::test
