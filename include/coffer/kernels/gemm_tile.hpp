// The fp32 register tile that matrix products and convolutions share, and the loop over a block of tiles.
// A is never copied: each row of the tile is a pointer, one set of pointers per tap, so a convolution needs
// no im2col buffer. Only arch.cpp includes this file.
#pragma once

#include "coffer/kernels/epilogue.hpp"
#include "coffer/kernels/gemm_params.hpp"

namespace coffer::kernels {

// One slice of the depth: `taps` times `channels` values a row, starting at `offset` of each row pointer.
struct DepthSlice {
    const float* const* rows;  // [tap][row_step]: where each row of A starts
    size_t taps, row_step;
    size_t offset, channels;
    bool first, last;  // the sum starts from zero; the epilogue follows
    size_t merge = 1;  // so many taps in a row are contiguous for the tiles whose bit is set
    uint64_t merged_tiles = 0;
};

// A panel of B and the columns of C it makes.
template <class Arch>
struct PanelJob {
    const float* b;
    size_t b_step;           // floats from one row of B to the next
    size_t column, columns;  // first column in C (for the epilogue), how many are real
    float* c;                // row 0 of the block, already at `column`
    size_t ldc;
    const Epilogue<Arch>* epilogue;
    const float* next = nullptr;  // what will be read after this panel
    size_t next_floats = 0;
};

// The end of a tile whose last vector is partial.
template <class Arch>
[[gnu::noinline]] static void store_ragged(const DepthSlice& slice, const PanelJob<Arch>& job, const float* sums,
                                           size_t width, size_t row, size_t rows) {
    using V = Batch<Arch, float>;
    for (size_t r = 0; r < rows; ++r) {
        float* c = job.c + (row + r) * job.ldc;
        for (size_t column = 0; column < job.columns; column += V::size) {
            const size_t count = job.columns - column;
            V value = V::load_unaligned(sums + r * width + column);
            if (!slice.first) value += load_partial<Arch>(c + column, count);
            if (slice.last) value = job.epilogue->finish_partial(value, row + r, job.column + column, count);
            store_partial<Arch>(c + column, value, count);
        }
    }
}

template <class Arch, int kRows, int kVectors>
static void tile_f32(const DepthSlice& slice, const PanelJob<Arch>& job, size_t row) {
    using V = Batch<Arch, float>;
    // Few accumulators cannot hide the latency of the multiply-add: then several rows of B go into sums of
    // their own, which are added at the end.
    constexpr int kSums = kRows * kVectors >= 6 ? 1 : kRows * kVectors >= 3 ? 2 : kRows * kVectors == 2 ? 4 : 8;
    V sum[kSums][kRows][kVectors];
    for (int u = 0; u < kSums; ++u) {
        for (int r = 0; r < kRows; ++r) {
            for (int v = 0; v < kVectors; ++v) sum[u][r][v] = V(0.0f);
        }
    }
    const float* b = job.b;
    const size_t step = job.b_step;
    const bool merged = slice.merged_tiles >> (row / tile_of(Arch::id).rows) & 1;
    const size_t merge = merged ? slice.merge : 1, channels = slice.channels * merge;
    for (size_t tap = 0; tap < slice.taps; tap += merge) {
        const float* a[kRows];
        for (int r = 0; r < kRows; ++r) a[r] = slice.rows[tap * slice.row_step + row + r] + slice.offset;
        size_t k = 0;
        for (; k + kSums <= channels; k += kSums) {
            for (int u = 0; u < kSums; ++u, b += step) {
                V bv[kVectors];
                for (int v = 0; v < kVectors; ++v) bv[v] = V::load_unaligned(b + v * V::size);
                for (int r = 0; r < kRows; ++r) {
                    const V av(a[r][k + u]);
                    for (int v = 0; v < kVectors; ++v) sum[u][r][v] = multiply_add<Arch>(av, bv[v], sum[u][r][v]);
                }
            }
        }
        if constexpr (kSums > 1) {
            for (; k < channels; ++k, b += step) {
                for (int r = 0; r < kRows; ++r) {
                    const V av(a[r][k]);
                    for (int v = 0; v < kVectors; ++v) {
                        sum[0][r][v] = multiply_add<Arch>(av, V::load_unaligned(b + v * V::size), sum[0][r][v]);
                    }
                }
            }
        }
    }
    for (int step_size = kSums / 2; step_size > 0; step_size /= 2) {
        for (int u = 0; u < step_size; ++u) {
            for (int r = 0; r < kRows; ++r) {
                for (int v = 0; v < kVectors; ++v) sum[u][r][v] += sum[u + step_size][r][v];
            }
        }
    }
    float* c = job.c + row * job.ldc;
    if (job.columns == kVectors * V::size) {
        if (!slice.first) {
            for (int r = 0; r < kRows; ++r) {
                for (int v = 0; v < kVectors; ++v) sum[0][r][v] += V::load_unaligned(c + r * job.ldc + v * V::size);
            }
        }
        if (slice.last) job.epilogue->template finish<kRows, kVectors>(sum[0], row, job.column);
        for (int r = 0; r < kRows; ++r) {
            for (int v = 0; v < kVectors; ++v) sum[0][r][v].store_unaligned(c + r * job.ldc + v * V::size);
        }
    } else {
        alignas(64) float stored[kRows * kVectors * V::size];
        for (int r = 0; r < kRows; ++r) {
            for (int v = 0; v < kVectors; ++v) sum[0][r][v].store_aligned(stored + (r * kVectors + v) * V::size);
        }
        store_ragged<Arch>(slice, job, stored, kVectors * V::size, row, kRows);
    }
    if (slice.last) job.epilogue->activate(c, job.ldc, kRows, job.columns);
}

// All rows of a block against one panel.
template <class Arch, int kVectors>
static void panel_rows(const DepthSlice& slice, const PanelJob<Arch>& job, size_t rows) {
    constexpr int kFull = static_cast<int>(tile_of(Arch::id).rows);
    // The next panel is fetched into the second-level cache meanwhile, an equal share at each tile.
    constexpr size_t kLine = 16;
    const float* next = job.next;
    const size_t share = job.next_floats == 0 ? 0 : (job.next_floats * kFull / rows + kLine - 1) / kLine * kLine;
    size_t row = 0;
    for (; row + kFull <= rows; row += kFull, next += share) {
        for (size_t i = 0; i < share; i += kLine) __builtin_prefetch(next + i, 0, 2);
        tile_f32<Arch, kFull, kVectors>(slice, job, row);
    }
    switch (rows - row) {
        case 1: return tile_f32<Arch, 1, kVectors>(slice, job, row);
        case 2: return tile_f32<Arch, 2, kVectors>(slice, job, row);
        case 3: return tile_f32<Arch, 3, kVectors>(slice, job, row);
    }
    if constexpr (kFull > 4) {
        switch (rows - row) {
            case 4: return tile_f32<Arch, 4, kVectors>(slice, job, row);
            case 5: return tile_f32<Arch, 5, kVectors>(slice, job, row);
        }
    }
    if constexpr (kFull > 6) {
        switch (rows - row) {
            case 6: return tile_f32<Arch, 6, kVectors>(slice, job, row);
            case 7: return tile_f32<Arch, 7, kVectors>(slice, job, row);
        }
    }
}

template <class Arch>
static void panel_rows(const DepthSlice& slice, const PanelJob<Arch>& job, size_t rows, size_t width) {
    constexpr Tile tile = tile_of(Arch::id);
    static_assert(Batch<Arch, float>::size == tile.lanes);
    switch (width / tile.lanes) {
        case 1: return panel_rows<Arch, 1>(slice, job, rows);
        case 2: return panel_rows<Arch, 2>(slice, job, rows);
    }
    if constexpr (tile.vectors > 2) panel_rows<Arch, 3>(slice, job, rows);
}

}  // namespace coffer::kernels
