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

// Half a vector, where that is a register of its own (Tile::half).
template <class Arch>
struct HalfVector {
    using V = Batch<Arch, float>;
    V value = V(0.0f);
    void add(const float*, const float*) {}
    V whole() const { return value; }
};
#if defined(__AVX512F__)
template <>
struct HalfVector<Avx512> {
    __m256 value = _mm256_setzero_ps();
    void add(const float* a, const float* b) {
        value = _mm256_fmadd_ps(_mm256_broadcast_ss(a), _mm256_loadu_ps(b), value);
    }
    Batch<Avx512, float> whole() const { return _mm512_zextps256_ps512(value); }
};
#endif

// kVectors whole vectors of columns, and half of one with kHalf.
template <class Arch, int kRows, int kVectors, bool kHalf>
void tile_f32(const DepthSlice& slice, const PanelJob<Arch>& job, size_t row) {
    using V = Batch<Arch, float>;
    // Few accumulators cannot hide the latency of the multiply-add: then several rows of B go into sums of
    // their own, which are added at the end.
    constexpr int kAll = kVectors + kHalf, kTile = kRows * kAll;
    constexpr int kSums = kTile >= 6 ? 1 : kTile >= 3 ? 2 : kTile == 2 ? 4 : 8;
    V sum[kSums][kRows][kAll];
    HalfVector<Arch> half[kSums][kRows];
    COFFER_UNROLL for (int u = 0; u < kSums; ++u) {
        COFFER_UNROLL for (int r = 0; r < kRows; ++r) {
            COFFER_UNROLL for (int v = 0; v < kVectors; ++v) sum[u][r][v] = V(0.0f);
        }
    }
    const float* b = job.b;
    const size_t step = job.b_step;
    const bool merged = slice.merged_tiles >> (row / tile_of(Arch::id).rows) & 1;
    const size_t merge = merged ? slice.merge : 1, channels = slice.channels * merge;
    for (size_t tap = 0; tap < slice.taps; tap += merge) {
        const float* a[kRows];
        COFFER_UNROLL for (int r = 0; r < kRows; ++r) a[r] =
            slice.rows[tap * slice.row_step + row + r] + slice.offset;
        size_t k = 0;
        for (; k + kSums <= channels; k += kSums) {
            COFFER_UNROLL for (int u = 0; u < kSums; ++u, b += step) {
                V bv[kAll];
                COFFER_UNROLL for (int v = 0; v < kVectors; ++v) bv[v] = V::load_unaligned(b + v * V::size);
                COFFER_UNROLL for (int r = 0; r < kRows; ++r) {
                    const V av(a[r][k + u]);
                    COFFER_UNROLL for (int v = 0; v < kVectors; ++v) sum[u][r][v] = fma(av, bv[v], sum[u][r][v]);
                    if constexpr (kHalf) half[u][r].add(a[r] + k + u, b + kVectors * V::size);
                }
            }
        }
        if constexpr (kSums > 1) {
            for (; k < channels; ++k, b += step) {
                COFFER_UNROLL for (int r = 0; r < kRows; ++r) {
                    const V av(a[r][k]);
                    COFFER_UNROLL for (int v = 0; v < kVectors; ++v) {
                        sum[0][r][v] = fma(av, V::load_unaligned(b + v * V::size), sum[0][r][v]);
                    }
                    if constexpr (kHalf) half[0][r].add(a[r] + k, b + kVectors * V::size);
                }
            }
        }
    }
    if constexpr (kHalf) {
        COFFER_UNROLL for (int u = 0; u < kSums; ++u) {
            COFFER_UNROLL for (int r = 0; r < kRows; ++r) sum[u][r][kVectors] = half[u][r].whole();
        }
    }
    for (int step_size = kSums / 2; step_size > 0; step_size /= 2) {
        COFFER_UNROLL for (int u = 0; u < step_size; ++u) {
            COFFER_UNROLL for (int r = 0; r < kRows; ++r) {
                COFFER_UNROLL for (int v = 0; v < kAll; ++v) sum[u][r][v] += sum[u + step_size][r][v];
            }
        }
    }
    float* c = job.c + row * job.ldc;
    job.epilogue->store(sum[0], {c, job.ldc, row, job.column, job.columns, slice.first, slice.last});
    if (slice.last) job.epilogue->activate(c, job.ldc, kRows, job.columns);
}

// kRows rows times a single column: vectors run along the depth, in kSums sums that hide the latency.
template <class Arch, int kRows, int kSums>
void column_f32(const DepthSlice& slice, const PanelJob<Arch>& job, size_t row) {
    using V = Batch<Arch, float>;
    V sum[kSums][kRows];
    COFFER_UNROLL for (int u = 0; u < kSums; ++u) {
        COFFER_UNROLL for (int r = 0; r < kRows; ++r) sum[u][r] = V(0.0f);
    }
    const float* b = job.b;
    const bool merged = slice.merged_tiles >> (row / tile_of(Arch::id).rows) & 1;
    const size_t merge = merged ? slice.merge : 1, channels = slice.channels * merge;
    for (size_t tap = 0; tap < slice.taps; tap += merge, b += channels) {
        const float* a[kRows];
        COFFER_UNROLL for (int r = 0; r < kRows; ++r) {
            a[r] = slice.rows[tap * slice.row_step + row + r] + slice.offset;
        }
        size_t k = 0;
        for (; k + kSums * V::size <= channels; k += kSums * V::size) {
            COFFER_UNROLL for (int u = 0; u < kSums; ++u) {
                const V bv = V::load_unaligned(b + k + u * V::size);
                COFFER_UNROLL for (int r = 0; r < kRows; ++r) {
                    sum[u][r] = fma(V::load_unaligned(a[r] + k + u * V::size), bv, sum[u][r]);
                }
            }
        }
        for (; k < channels; k += V::size) {
            const V bv = load_partial<Arch>(b + k, channels - k);
            COFFER_UNROLL for (int r = 0; r < kRows; ++r) {
                sum[0][r] = fma(load_partial<Arch>(a[r] + k, channels - k), bv, sum[0][r]);
            }
        }
    }
    alignas(64) float stored[kRows * V::size];
    for (int r = 0; r < kRows; ++r) {
        COFFER_UNROLL for (int u = 1; u < kSums; ++u) sum[0][r] += sum[u][r];
        stored[r * V::size] = hadd(sum[0][r]);
    }
    float* c = job.c + row * job.ldc;
    job.epilogue->store_rows(stored, kRows, V::size,
                             {c, job.ldc, row, job.column, job.columns, slice.first, slice.last});
    if (slice.last) job.epilogue->activate(c, job.ldc, kRows, job.columns);
}

template <class Arch>
void column_rows(const DepthSlice& slice, const PanelJob<Arch>& job, size_t rows) {
    constexpr int kFull = static_cast<int>(tile_of(Arch::id).rows);
    size_t row = 0;
    for (; row + kFull <= rows; row += kFull) column_f32<Arch, kFull, 1>(slice, job, row);
    for (; row < rows; ++row) column_f32<Arch, 1, 4>(slice, job, row);
}

// All rows of a block against one panel.
template <class Arch, int kVectors, bool kHalf>
void panel_rows(const DepthSlice& slice, const PanelJob<Arch>& job, size_t rows) {
    constexpr int kFull = static_cast<int>(tile_of(Arch::id).rows);
    // The next panel is fetched into the second-level cache meanwhile, an equal share at each tile.
    constexpr size_t kLine = 16;
    const float* next = job.next;
    const size_t share = job.next_floats == 0 ? 0 : (job.next_floats * kFull / rows + kLine - 1) / kLine * kLine;
    size_t row = 0;
    for (; row + kFull <= rows; row += kFull, next += share) {
        for (size_t i = 0; i < share; i += kLine) __builtin_prefetch(next + i, 0, 2);
        tile_f32<Arch, kFull, kVectors, kHalf>(slice, job, row);
    }
    switch (rows - row) {
        case 1: return tile_f32<Arch, 1, kVectors, kHalf>(slice, job, row);
        case 2: return tile_f32<Arch, 2, kVectors, kHalf>(slice, job, row);
        case 3: return tile_f32<Arch, 3, kVectors, kHalf>(slice, job, row);
    }
    if constexpr (kFull > 4) {
        switch (rows - row) {
            case 4: return tile_f32<Arch, 4, kVectors, kHalf>(slice, job, row);
            case 5: return tile_f32<Arch, 5, kVectors, kHalf>(slice, job, row);
        }
    }
    if constexpr (kFull > 6) {
        switch (rows - row) {
            case 6: return tile_f32<Arch, 6, kVectors, kHalf>(slice, job, row);
            case 7: return tile_f32<Arch, 7, kVectors, kHalf>(slice, job, row);
        }
    }
}

template <class Arch>
void panel_rows(const DepthSlice& slice, const PanelJob<Arch>& job, size_t rows, size_t width) {
    constexpr Tile tile = tile_of(Arch::id);
    static_assert(Batch<Arch, float>::size == tile.lanes);
    if (width == 1) return column_rows<Arch>(slice, job, rows);
    if constexpr (tile.half) {
        if (width % tile.lanes != 0) {
            switch (width / tile.lanes) {
                case 0: return panel_rows<Arch, 0, true>(slice, job, rows);
                case 1: return panel_rows<Arch, 1, true>(slice, job, rows);
                case 2: return panel_rows<Arch, 2, true>(slice, job, rows);
            }
        }
    }
    switch (width / tile.lanes) {
        case 1: return panel_rows<Arch, 1, false>(slice, job, rows);
        case 2: return panel_rows<Arch, 2, false>(slice, job, rows);
    }
    if constexpr (tile.vectors > 2) panel_rows<Arch, 3, false>(slice, job, rows);
}

}  // namespace coffer::kernels
