// Geometry of the fp32 convolution kernels. Data is channels-last: (N, D, H, W, C), missing axes of size 1.
#pragma once

#include "coffer/kernels/gemm_params.hpp"

namespace coffer::kernels {

struct ConvAxis {
    ptrdiff_t in = 1, out = 1, kernel = 1, stride = 1, dilation = 1, pad = 0;
};

// Operands of every convolution kernel: input, packed weights, output, bias or null, residual or null.
struct ConvParams {
    ConvAxis axes[3];  // D, H, W
    size_t batch = 0, groups = 1;
    size_t channels = 0, group_channels = 0, outputs = 0, group_outputs = 0;
    Panels panels = {};  // of one group; row (tap, channel)
    size_t rows = 1;     // output pixels a unit covers: block_rows()
    EpilogueParams epilogue = {};

    // Implicit product: rows of A are output pixels. With `joined` one tap is a whole kernel row, which lies
    // contiguous in memory; otherwise it is one kernel position.
    bool joined = false;
    bool gathered = false;            // joined, and so short that all taps of a slice are copied one after another
    size_t merge = 1;                 // taps that are contiguous unless the window crosses the border
    size_t taps = 0, tap_floats = 0;  // their number; contiguous floats each reads
    size_t slice_taps = 0, slice_floats = 0;  // how the depth is cut; one of the two is 1 or all

    constexpr size_t pixels() const { return batch * static_cast<size_t>(axes[0].out * axes[1].out * axes[2].out); }
    constexpr size_t row_blocks() const { return (pixels() + rows - 1) / rows; }
    constexpr size_t panel_blocks() const { return (panels.count + kBlockPanels - 1) / kBlockPanels; }
};

inline constexpr size_t kSliceTaps = 16;      // row pointers a slice keeps for each output pixel
inline constexpr size_t kJoinedFloats = 128;  // floats a slice copies for each pixel at the border

// Transposed convolution, second half: gathers the products (input pixel, tap, output channel) into pixels.
// Operands: products, output, bias or null. Units: output rows.
struct ConvTransposeParams {
    ConvAxis axes[3];
    size_t batch = 0, outputs = 0;
    size_t pixel_stride = 0, tap_stride = 0, output_stride = 1;  // in the products, in floats
};

}  // namespace coffer::kernels
