// What planner and integer kernels share: the packed forms and parameter blocks of quantized GEMM and
// convolution. Plain data, no SIMD.
//
// Everything is computed as  acc[m][n] = sum over k of a[m][k] * b[k][n]  with a in u8 and b in s8, exactly in
// int32 (wrapping like ONNX when K is absurdly large). Signed activations are read as x ^ 0x80 (that is x + 128)
// and unsigned weights as w ^ 0x80 (w - 128), their zero points moved by as much, so that one kernel serves all.
// With zero points za and zb:
//
//   sum (a - za)(b - zb) = acc - zb * rowsum(a) - za * colsum(b) + K za zb
//                        = acc - zb * rowsum(a) + init[n]           (bias goes into init too)
//
// Padding in a convolution has the value za, so the formula holds there as well.
#pragma once

#include <cstddef>
#include <cstdint>

#include "coffer/kernels/arch.hpp"

namespace coffer::kernels {

// Packed weights, alike on every instruction set: panels of 16 columns, inside a panel K in fours. Byte
// ((panel * quads + q) * 16 + column) * 4 + i holds k = 4q + i. This is one vpdpbusd operand, one row of an AMX
// tile, one sdot operand, and four columns of a pmaddwd operand after widening. Zero where padded.
inline constexpr size_t kQPanel = 16;
inline constexpr size_t kQQuad = 4;
inline constexpr size_t kQPanelBytes = kQPanel * kQQuad;

// The second packed form, for processors that multiply bytes only with pmaddubsw, which saturates its sums of two
// products at 16 bits: strips of 8 columns, blocks of 8 columns by four k. A sum of two products stays in range
// when the two weights add up to at most 128 in magnitude (255 * 128 < 2^15). A block where some do not is split
// into two blocks of about half the weights, for the same four k; `count` blocks are followed by the number of
// the four k of each, as uint16. Only worth it when few blocks are split, as in trained weights.
inline constexpr size_t kQStrip = 8, kQStripBlock = 32;
struct QStrip {
    uint64_t offset;  // of the blocks, from this struct
    uint64_t count;
};

// AMX consumes K in steps of 64 bytes, the others in fours.
static constexpr size_t qgemm_quads(ArchId arch, size_t k) {
    return arch == ArchId::kAmx ? (k + 63) / 64 * 16 : (k + 3) / 4;
}
static constexpr size_t qgemm_padded_columns(size_t n) {
    return (n + kQPanel - 1) / kQPanel * kQPanel;
}

// One block of constants: this head, then for `columns` padded columns int32 init, float scale, float bias and
// int32 weight zero points (all as the kernel sees them). Static quantization fills it while planning, dynamic
// quantization in a step of its own.
struct QBlock {
    int32_t x_zero;  // as the kernel sees the activations
    int32_t y_zero;
    // 8-bit results: round(acc * scale) is clamped to [lo, hi], then y_zero is added.
    // float results: acc * scale + bias is clamped to [lo, hi].
    float lo, hi;
    float x_scale, y_scale;
    int32_t raw_zero;  // zero point of the activations as the model gives it
    float unused[9];
};
static_assert(sizeof(QBlock) == 64);
static constexpr size_t qblock_bytes(size_t columns) {
    return sizeof(QBlock) + 16 * columns;
}
static inline int32_t* qblock_init(void* block) {
    return reinterpret_cast<int32_t*>(static_cast<char*>(block) + 64);
}
static inline float* qblock_scale(void* block, size_t columns) {
    return reinterpret_cast<float*>(qblock_init(block) + columns);
}
static inline float* qblock_bias(void* block, size_t columns) {
    return reinterpret_cast<float*>(qblock_init(block) + 2 * columns);
}
static inline int32_t* qblock_weight_zero(void* block, size_t columns) {
    return qblock_init(block) + 3 * columns;
}

enum class QOut : uint8_t { kInt32, kInt8, kFloat };  // kInt8: u8 or s8, the clamp bounds say which

// Steps of qgemm and qconv split into row units times column units. A range of units uses the workspace slot
// of its first unit, so that one thread stays in one hot slot.
struct QTiling {
    size_t rows, row_units, rows_per_unit;        // rows: pixels or rows of A, over all batches
    size_t panels, panel_units, panels_per_unit;  // panels of one group
    size_t block_rows;                            // rows of A packed at a time
    size_t a_stride;                              // elements between packed rows
    size_t slot_bytes;
};

struct QGemmParams {
    QTiling tiling;
    size_t k, quads;
    size_t n, columns;  // columns: padded, over all groups
    size_t lda, ldc;    // elements
    uint8_t flip;       // 0x80 when the activations are signed
    bool split;         // packed as strips (QStrip)
    bool weight_zeros;  // some weight zero point is not 0
    bool table;         // the 8-bit result goes through operand 5, 256 bytes
    QOut out;
    // batched products: matrices of A, B and C follow each other at these distances (0: shared)
    size_t batches, a_batch, b_batch, c_batch, block_batch;
};

// A convolution over a channels-last image is a qgemm whose rows are output pixels; the packed weights have K
// in the order kernel position, then channel of the group. gemm.batches counts the groups.
struct QConvParams {
    QGemmParams gemm;
    size_t channels, group_channels;                          // of the input
    size_t taps;                                              // product of kernel
    size_t in[3], out[3], kernel[3], stride[3], dilation[3];  // depth, height, width; 1 where absent
    ptrdiff_t pad[3];                                         // at the beginning
};

// Depthwise (one input channel a group, multiplier 1): activations as they are, signed or not; weights as int16
// with the zero point already subtracted, pairs of kernel positions interleaved:
// (pair * padded_channels + channel) * 2 + (tap & 1). Every workspace slot holds a pixel of padding.
inline constexpr size_t kQDepthwiseTaps = 128;
struct QDepthwiseParams {
    QConvParams conv;
    bool is_signed;
};
static constexpr size_t qdepthwise_pairs(size_t taps) {
    return (taps + 1) / 2;
}

}  // namespace coffer::kernels
