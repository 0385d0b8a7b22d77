// What the passes that turn quantized patterns into integer nodes share, and the quantizer with them: products
// (Conv, MatMul, Gemm and their fused forms) seen alike, and QuantizeLinear and DequantizeLinear with one scale.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "offline/passes/editor.hpp"

namespace coffer::offline {

inline constexpr std::string_view kQConv = "ai.coffer::QConv", kQMatMul = "ai.coffer::QMatMul";

// act(x * w + bias + residual).
struct Product {
    bool conv = false;
    bool w_transposed = false;  // matrix product: w is (N, K)
    ValueId x = graph::kAbsent, w = graph::kAbsent, bias = graph::kAbsent, residual = graph::kAbsent;
    std::string activation;
    PrivateVector<float> params;

    // The axis of w that counts output channels.
    int channel_axis() const { return conv || w_transposed ? 0 : 1; }
};

// nullopt for other ops, and for forms that integer nodes do not have (transposed x, factors).
std::optional<Product> as_product(const graph::Node& node);

// Relu and Clip: what an integer product can do to its result before rounding.
bool is_clamp(std::string_view activation);

// Inputs of QConv and QMatMul, in order.
struct IntegerInputs {
    ValueId x = graph::kAbsent, x_scale = graph::kAbsent, x_zero = graph::kAbsent;
    ValueId w = graph::kAbsent, w_scale = graph::kAbsent, w_zero = graph::kAbsent;
    ValueId y_scale = graph::kAbsent, y_zero = graph::kAbsent, bias = graph::kAbsent, table = graph::kAbsent;
};
// `node` becomes QConv or QMatMul with these inputs and the product's activation; its outputs stay.
void become_integer(graph::Node& node, const Product& product, const IntegerInputs& inputs);

// An 8-bit tensor and what its numbers mean: one constant scale, one constant zero point.
struct Quantization {
    ValueId scale = graph::kAbsent, zero = graph::kAbsent;
    float scale_value = 1;
    int64_t zero_value = 0;
    DType dtype = DType::kUndefined;

    bool same(const Quantization& other) const {
        return scale_value == other.scale_value && zero_value == other.zero_value && dtype == other.dtype;
    }
    double low() const { return static_cast<double>((dtype == DType::kInt8 ? -128 : 0) - zero_value) * scale_value; }
    double high() const {
        return static_cast<double>((dtype == DType::kInt8 ? 127 : 255) - zero_value) * scale_value;
    }
};

// Of a QuantizeLinear or DequantizeLinear node with one 8-bit scale. A zero point that was left out is added as a
// constant.
std::optional<Quantization> quantization_of(Editor& e, graph::Node& node, DType dequantized = DType::kUndefined);

// `id` is DequantizeLinear(x) with one scale: x and its meaning.
struct Dequantized {
    ValueId x;
    Quantization q;
};
std::optional<Dequantized> dequantized(Editor& e, ValueId id);

// Moves or selects elements of input 0, so it means the same on integers; Concat not included.
bool moves_elements(const Editor& e, const graph::Node& node);
// A function of one element: the position of its data input. Every other input is one constant number.
std::optional<size_t> elementwise_input(const Editor& e, const graph::Node& node);
// The op exists and has a fast variant.
bool is_fast(std::string_view op);

// A constant, or DequantizeLinear of constants: its numbers as float32.
std::optional<PrivateVector<float>> constant_floats(const Editor& e, ValueId id);

}  // namespace coffer::offline
