// Parameter blocks of the element-wise quantized kernels (quantize.hpp, qelementwise.hpp).
#pragma once

#include <cstddef>
#include <cstdint>

namespace coffer::kernels {

inline constexpr size_t kQuantizeBlock = 16384;  // elements of a unit

// y = saturate(round(x / scale) + zero). `runs` runs of `inner` elements, run r with scale r % axis.
// A single scale for all: runs == axis == 1.
struct QuantizeParams {
    size_t runs, inner, axis;
    const float* scales;  // axis of them
    const int32_t* zeros;
    bool is_signed;   // the 8-bit side
    bool from_block;  // scale and zero come from a QBlock in operand 2
};

// Smallest and largest element of each unit, two floats, for dynamic quantization.
struct MinMaxParams {
    size_t count;
};

// Fills a QBlock (operand 1) from a template of the same layout (operand 0) in which init holds the bias and
// scale the weights' scales, followed by the column sums of the weights; and from the activations' scale
// (operand 2) and zero point (operand 3), or from `minmax_units` extremes (operand 4) by the rule of
// DynamicQuantizeLinear. Operands 5 and 6, when `publish`, receive the scale and zero point.
struct QPrepareParams {
    size_t columns, k, minmax_units;
    bool is_signed;  // zero point of the activations
    bool has_scale, has_zero, requantize, publish;
    float alpha;    // factor of the scale
    int32_t shift;  // added to the zero point: see qgemm_layout.hpp
};

// 256 results of a function of one byte, for `runs` runs of `length` bytes; run r goes to dst + r * dst_stride.
struct QTableParams {
    size_t runs, length, dst_stride, dst_offset;
    uint8_t table[256];
};

enum class QBinary : uint8_t { kAdd, kMul };
// c = saturate(round(x / c_scale) + c_zero) with x = (a - a_zero) a_scale op (b - b_zero) b_scale, all u8 or all
// s8. `outer` rows of `inner` elements; a stride is 1, or 0 where the operand has one element for the row.
struct QBinaryParams {
    size_t outer, inner;
    size_t a_row, b_row;  // elements from row to row
    bool a_one, b_one;    // one element serves the whole row
    bool is_signed;
    QBinary op;
    float a_scale, b_scale, c_scale;
    int32_t a_zero, b_zero, c_zero;
};

}  // namespace coffer::kernels
