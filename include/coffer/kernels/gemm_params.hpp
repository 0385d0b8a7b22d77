// Geometry of the fp32 matrix kernels: tiles, packed panels, parameters. Plain data and arithmetic, shared by
// planning (baseline code) and kernels.
//
// B is packed into panels of whole vectors: panel p holds columns [p * width, p * width + width), the last one
// maybe fewer vectors, each panel as `depth` rows one after another, padded with zeros beyond column n.
#pragma once

#include "coffer/kernels/arch.hpp"
#include "coffer/kernels/epilogue_params.hpp"

namespace coffer::kernels {

// The register tile: `rows` by up to `vectors` vectors of `lanes` floats. Accumulators, a row of B and one
// broadcast must fit the registers; row pointers the general ones. `half`: the last vector of a panel may be one of
// half as many lanes, which costs half as much where wide vectors are worked on in two parts.
struct Tile {
    size_t rows, vectors, lanes;
    bool half = false;
};
constexpr Tile tile_of(ArchId id) {
    switch (id) {
        case ArchId::kAvx2: return {6, 2, 8};
        case ArchId::kAvx512:
        case ArchId::kAvx512Vnni:
        case ArchId::kAmx: return {8, 3, 16, true};
#if defined(__aarch64__)
        default: return {8, 3, 4};
#else
        default: return {4, 2, 4};
#endif
    }
}

inline constexpr size_t kBlockRows = 96;      // rows a unit covers, roughly: see block_rows()
inline constexpr size_t kMaxBlockRows = 144;  // a multiple of every Tile::rows
inline constexpr size_t kBlockDepth = 384;    // rows of a panel used at a time: tile and panel stay in L1
inline constexpr size_t kBlockPanels = 16;    // panels a unit covers

// Rows of each unit: near kBlockRows, equal, whole tiles. A short last block would read all of B for little.
constexpr size_t block_rows(size_t rows, Tile tile) {
    const size_t wanted = (rows + kBlockRows / 2) / kBlockRows, blocks = wanted == 0 ? 1 : wanted;
    const size_t each = (rows + blocks - 1) / blocks;
    return (each + tile.rows - 1) / tile.rows * tile.rows;
}

struct Panels {
    size_t n = 0, depth = 0;
    size_t lanes = 0;
    size_t width = 0;       // columns of every panel but the last
    size_t last_width = 0;  // of the last: whole vectors, or half a vector less (Tile::half)
    size_t count = 0;

    // Splits evenly: 4 vectors in panels of at most 3 become 2 + 2. A single column stays as it is: vectors run along
    // the depth then.
    static constexpr Panels split(Tile tile, size_t n, size_t depth) {
        if (n == 1) return {n, depth, tile.lanes, 1, 1, 1};
        const size_t vectors = (n + tile.lanes - 1) / tile.lanes;
        const size_t count = (vectors + tile.vectors - 1) / tile.vectors;
        if (count == 0) return {n, depth, tile.lanes, tile.lanes, 0, 0};
        const size_t each = (vectors + count - 1) / count;
        const size_t panels = (vectors + each - 1) / each;
        const size_t last = vectors - each * (panels - 1);
        const size_t spare = vectors * tile.lanes - n,
                     half = tile.half && spare >= tile.lanes / 2 ? tile.lanes / 2 : 0;
        return {n, depth, tile.lanes, each * tile.lanes, last * tile.lanes - half, panels};
    }
    constexpr size_t width_of(size_t panel) const { return panel + 1 < count ? width : last_width; }
    constexpr size_t offset_of(size_t panel) const { return panel * width * depth; }
    constexpr size_t size() const { return count == 0 ? 0 : ((count - 1) * width + last_width) * depth; }
};

// Packs `batch` matrices; element (tap, c, n) of one lies at tap * tap_stride + c * c_stride + n * n_stride,
// row tap * channels + c of the panel. A plain matrix has one tap. Operands: src, dst. Units: batch * count.
struct PackParams {
    Panels panels = {};
    size_t taps = 1, channels = 0;
    size_t tap_stride = 0, c_stride = 0, n_stride = 1;
    size_t batch_stride = 0;
    size_t inner_batch = 1, inner_stride = 0;  // matrices one batch_stride apart hold so many, inner_stride apart
    size_t src_offset = 0;
};

// dst(rows x columns) = src(columns x rows) transposed, `batch` times. Units: batch * blocks of 16 rows.
struct TransposeParams {
    size_t rows = 0, columns = 0;
};
inline constexpr size_t kTransposeRows = 16;

// C = epilogue(A B) over a batch with broadcasting. Strides in floats. Operands: A, B (packed; or plain when
// `plain_ld` is not 0), C, bias or null, residual or null, packed last panel (plain B only).
struct GemmParams {
    static constexpr size_t kMaxBatchRank = 6;
    size_t m = 0, k = 0;
    size_t rows = 0;  // block_rows(m)
    Panels panels = {};
    size_t lda = 0, ldc = 0;
    size_t plain_ld = 0;  // distance of B's rows when it is read where it lies
    size_t batch = 1;
    size_t batch_rank = 0;
    size_t dims[kMaxBatchRank] = {}, a_stride[kMaxBatchRank] = {}, b_stride[kMaxBatchRank] = {};
    size_t c_stride[kMaxBatchRank] = {}, tail_stride[kMaxBatchRank] = {};
    size_t bias_stride = 0;  // a batch index (grouped convolution); others share one bias
    EpilogueParams epilogue = {};

    constexpr size_t row_blocks() const { return rows == 0 ? 0 : (m + rows - 1) / rows; }
    constexpr size_t panel_blocks() const { return (panels.count + kBlockPanels - 1) / kBlockPanels; }
    constexpr size_t units() const { return batch * row_blocks() * panel_blocks(); }
};

}  // namespace coffer::kernels
