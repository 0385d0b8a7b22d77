// fp32 matrix product over packed panels, batched, with a fused epilogue; and the packing of panels. Only
// arch.cpp includes this file. Parameters: gemm_params.hpp.
#pragma once

#include "coffer/kernels/gemm_tile.hpp"
#include "coffer/kernels/transpose.hpp"

namespace coffer::kernels {

// Equal slices of at most `limit`; a multiple of 4 keeps the inner loops regular.
static inline size_t slice_depth(size_t depth, size_t limit) {
    const size_t slices = (depth + limit - 1) / limit;
    return slices <= 1 ? depth : ((depth + slices - 1) / slices + 3) / 4 * 4;
}

template <class Arch>
void gemm_block(const GemmParams& p, void* const* operands, size_t batch, size_t row0, size_t panel0) {
    size_t a_offset = 0, b_offset = 0, c_offset = 0, tail_offset = 0;
    size_t rest = batch;
    for (size_t i = p.batch_rank; i-- > 0;) {
        const size_t index = rest % p.dims[i];
        rest /= p.dims[i];
        a_offset += index * p.a_stride[i];
        b_offset += index * p.b_stride[i];
        c_offset += index * p.c_stride[i];
        tail_offset += index * p.tail_stride[i];
    }
    const auto* a = static_cast<const float*>(operands[0]) + a_offset + row0 * p.lda;
    const auto* b = static_cast<const float*>(operands[1]) + b_offset;
    auto* c = static_cast<float*>(operands[2]) + c_offset + row0 * p.ldc;
    const auto* bias = static_cast<const float*>(operands[3]);
    const auto* residual = static_cast<const float*>(operands[4]);
    const auto* tail = static_cast<const float*>(operands[5]) + tail_offset;
    if (bias) bias += batch * p.bias_stride;
    if (residual) residual += c_offset + row0 * p.epilogue.residual_ld;
    const Epilogue<Arch> epilogue(p.epilogue, bias, residual);

    const size_t rows = p.m - row0 < p.rows ? p.m - row0 : p.rows;
    const float* row_starts[kMaxBlockRows];
    for (size_t r = 0; r < rows; ++r) row_starts[r] = a + r * p.lda;
    const size_t panel_end = panel0 + kBlockPanels < p.panels.count ? panel0 + kBlockPanels : p.panels.count;
    // A single tile of rows reads every panel once, so slicing the depth would only cost traffic on C.
    const size_t depth = rows <= tile_of(Arch::id).rows ? p.k : slice_depth(p.k, kBlockDepth);
    size_t k = 0;
    do {  // once even when k is 0: the epilogue of empty sums
        const size_t channels = p.k - k < depth ? p.k - k : depth;
        const DepthSlice slice{row_starts, 1, 0, k, channels, k == 0, k + channels == p.k};
        for (size_t panel = panel0; panel < panel_end; ++panel) {
            const size_t column = panel * p.panels.width;
            const size_t width = p.panels.width_of(panel);
            const size_t columns = p.panels.n - column < width ? p.panels.n - column : width;
            PanelJob<Arch> job{
                b + p.panels.offset_of(panel) + k * width, width, column, columns, c + column, p.ldc, &epilogue};
            if (p.plain_ld != 0) {
                const bool whole = columns == width;
                job.b = whole ? b + k * p.plain_ld + column : tail + k * width;
                job.b_step = whole ? p.plain_ld : width;
            } else if (panel + 1 < panel_end) {
                job.next = b + p.panels.offset_of(panel + 1) + k * p.panels.width_of(panel + 1);
                job.next_floats = channels * p.panels.width_of(panel + 1);
            }
            panel_rows<Arch>(slice, job, rows, width);
        }
        k += channels;
    } while (k < p.k);
}

template <class Arch>
bool gemm_f32(const void* params, void* const* operands, size_t begin, size_t end) {
    const auto& p = *static_cast<const GemmParams*>(params);
    const size_t panel_blocks = p.panel_blocks(), row_blocks = p.row_blocks();
    for (size_t unit = begin; unit < end; ++unit) {
        const size_t panel_block = unit % panel_blocks, rest = unit / panel_blocks;
        gemm_block<Arch>(p, operands, rest / row_blocks, rest % row_blocks * p.rows, panel_block * kBlockPanels);
    }
    return true;
}

// One panel of a matrix whose columns lie in one piece each, as the weights of a convolution do: the taps of a
// channel side by side, one channel after the other.
template <class Arch>
void pack_columns(const PackParams& p, const float* src, float* dst, size_t width, size_t columns) {
    constexpr size_t kTile = 16;  // floats of a cache line
    const size_t depth = p.taps * p.channels;
    for (size_t j0 = 0; j0 < depth; j0 += kTile) {
        const size_t count = depth - j0 < kTile ? depth - j0 : kTile;
        float* rows[kTile];
        for (size_t j = 0; j < count; ++j) {
            rows[j] = dst + ((j0 + j) % p.taps * p.channels + (j0 + j) / p.taps) * width;
            for (size_t n = columns; n < width; ++n) rows[j][n] = 0;
        }
        for (size_t n0 = 0; n0 < columns; n0 += 4) {
            const float* from = src + n0 * p.n_stride + j0;
            const size_t n_count = columns - n0 < 4 ? columns - n0 : 4;
            size_t j = 0;
            for (; n_count == 4 && j + 4 <= count; j += 4) {
                transpose_4x4<Arch>(reinterpret_cast<const char*>(from + j),
                                    static_cast<int64_t>(p.n_stride * sizeof(float)),
                                    [&](int i) { return rows[j + static_cast<size_t>(i)] + n0; });
            }
            for (; j < count; ++j) {
                for (size_t n = 0; n < n_count; ++n) rows[j][n0 + n] = from[n * p.n_stride + j];
            }
        }
    }
}

template <class Arch>
bool pack_panels_f32(const void* params, void* const* operands, size_t begin, size_t end) {
    using V = Batch<Arch, float>;
    const auto& p = *static_cast<const PackParams*>(params);
    for (size_t unit = begin; unit < end; ++unit) {
        const size_t batch = unit / p.panels.count, panel = unit % p.panels.count;
        const size_t column = panel * p.panels.width, width = p.panels.width_of(panel);
        const size_t columns = p.panels.n - column < width ? p.panels.n - column : width;
        const size_t offset = p.src_offset + batch / p.inner_batch * p.batch_stride +
                              batch % p.inner_batch * p.inner_stride + column * p.n_stride;
        const auto* src = static_cast<const float*>(operands[0]) + offset;
        auto* dst = static_cast<float*>(operands[1]) + batch * p.panels.size() + p.panels.offset_of(panel);
        if (p.n_stride != 1 && p.c_stride == p.taps && (p.taps == 1 || p.tap_stride == 1)) {
            pack_columns<Arch>(p, src, dst, width, columns);
            continue;
        }
        for (size_t tap = 0; tap < p.taps; ++tap) {
            const float* row = src + tap * p.tap_stride;
            for (size_t c = 0; c < p.channels; ++c, row += p.c_stride, dst += width) {
                if (p.n_stride == 1) {
                    for (size_t v = 0; v < width; v += V::size) {
                        const V values = v < columns ? load_partial<Arch>(row + v, columns - v) : V(0.0f);
                        store_partial<Arch>(dst + v, values, width - v);
                    }
                    continue;
                }
                size_t n = 0;
                for (; n < columns; ++n) dst[n] = row[n * p.n_stride];
                for (; n < width; ++n) dst[n] = 0;
            }
        }
    }
    return true;
}

template <class Arch>
bool transpose_f32(const void* params, void* const* operands, size_t begin, size_t end) {
    const auto& p = *static_cast<const TransposeParams*>(params);
    const size_t blocks = (p.rows + kTransposeRows - 1) / kTransposeRows;
    for (size_t unit = begin; unit < end; ++unit) {
        const size_t offset = unit / blocks * p.rows * p.columns, row0 = unit % blocks * kTransposeRows;
        const size_t rows = p.rows - row0 < kTransposeRows ? p.rows - row0 : kTransposeRows;
        const auto* src = static_cast<const float*>(operands[0]) + offset + row0;
        auto* dst = static_cast<float*>(operands[1]) + offset + row0 * p.columns;
        for (size_t c = 0; c < p.columns; ++c) {
            for (size_t r = 0; r < rows; ++r) dst[r * p.columns + c] = src[c * p.rows + r];
        }
    }
    return true;
}

}  // namespace coffer::kernels
