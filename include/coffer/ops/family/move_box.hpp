// A strided box copy: the one form that Transpose, Slice, Concat, Pad, Tile, ... come down to; how the reference
// carries it out, and how the planner turns it into parameters of the copy kernel.
#pragma once

#include <algorithm>
#include <array>

#include "coffer/kernels/copy_params.hpp"
#include "coffer/ops/family/move_elements.hpp"
#include "coffer/ops/op.hpp"

namespace coffer::ops {

using Strides = std::array<int64_t, kMaxRank>;  // in elements, one for each logical axis

inline Strides strides_of(const Shape& shape, Layout layout = Layout::kPlain) {
    Strides s{};
    if (std::ranges::find(shape.dims(), 0) != shape.dims().end()) return s;  // the other dims may be of any size
    int64_t step = 1;
    const auto take = [&](int axis) {
        s[static_cast<size_t>(axis)] = step;
        step *= shape[axis];
    };
    const bool last = layout == Layout::kChannelsLast && shape.rank() >= 3;
    if (last) take(1);
    for (int axis = shape.rank() - 1; axis >= 0; --axis) {
        if (!(last && axis == 1)) take(axis);
    }
    return s;
}

// Steps and offsets count elements.
struct Box {
    static constexpr int kMaxLoops = 2 * kMaxRank;
    static constexpr int kZero = -1;  // the source is one zero element

    int input = 0;
    size_t output = 0;
    int rank = 0;
    int64_t size[kMaxLoops], src[kMaxLoops], dst[kMaxLoops];
    int64_t src_offset = 0, dst_offset = 0;

    void loop(int64_t n, int64_t src_step, int64_t dst_step) {
        size[rank] = n;
        src[rank] = src_step;
        dst[rank++] = dst_step;
    }
    bool empty() const { return std::find(size, size + rank, 0) != size + rank; }
};

inline void copy_box(const TensorView& dst, const TensorView& src, const Box& b) {
    if (b.empty()) return;
    const int inner = b.rank - 1;
    int64_t index[Box::kMaxLoops] = {};
    int64_t d = b.dst_offset, s = b.src_offset;
    for (;;) {
        if (b.rank == 0) return copy_elements(dst, d, 1, src, s, 1, 1);
        copy_elements(dst, d, b.dst[inner], src, s, b.src[inner], b.size[inner]);
        int axis = inner - 1;
        for (; axis >= 0; --axis) {
            d += b.dst[axis];
            s += b.src[axis];
            if (++index[axis] < b.size[axis]) break;
            d -= b.size[axis] * b.dst[axis];
            s -= b.size[axis] * b.src[axis];
            index[axis] = 0;
        }
        if (axis < 0) return;
    }
}

// Orders the loops by their step in dst, joins those that are one loop, and cuts the work into units of about
// 32 KiB. `b` is not empty; `bytes` is the size of an element.
inline kernels::CopyParams copy_params(const Box& b, int64_t bytes) {
    struct Loop {
        int64_t n, src, dst;
    };
    kernels::CopyParams p{};
    p.src_offset = b.src_offset * bytes;
    p.dst_offset = b.dst_offset * bytes;
    Loop loops[Box::kMaxLoops + 2];
    int rank = 0;
    for (int i = 0; i < b.rank; ++i) {
        if (b.size[i] != 1) loops[rank++] = {b.size[i], b.src[i] * bytes, b.dst[i] * bytes};
    }
    std::sort(loops, loops + rank, [](const Loop& x, const Loop& y) { return x.dst > y.dst; });
    int kept = 0;
    for (int i = 0; i < rank; ++i) {
        Loop* outer = kept > 0 ? &loops[kept - 1] : nullptr;
        const Loop inner = loops[i];
        if (outer && outer->dst == inner.dst * inner.n && outer->src == inner.src * inner.n) {
            *outer = {outer->n * inner.n, inner.src, inner.dst};
        } else {
            loops[kept++] = inner;
        }
    }
    rank = kept;
    // A short contiguous run is one larger element.
    if (rank > 0 && loops[rank - 1].src == bytes && loops[rank - 1].dst == bytes) {
        const int64_t run = loops[rank - 1].n * bytes;
        if (run <= 16 && (run & (run - 1)) == 0) {
            bytes = run;
            --rank;
        }
    }
    p.element = static_cast<uint8_t>(bytes);
    const auto contiguous = [&](const Loop& l) { return l.src == bytes && l.dst == bytes; };
    if (rank > 0 && contiguous(loops[rank - 1])) {
        p.kind = rank == 1 ? p.kWhole : p.kRun;
    } else if (rank == 0) {
        p.kind = p.kWhole;
        loops[rank++] = {1, bytes, bytes};
    } else {
        p.kind = p.kStrided;
        for (int i = 0; i + 1 < rank; ++i) {
            if (loops[i].src != bytes || loops[rank - 1].dst != bytes || loops[rank - 1].src == 0) continue;
            std::rotate(loops + i, loops + i + 1, loops + rank - 1);  // next to the innermost one
            p.kind = p.kTranspose;
            break;
        }
    }
    if (rank == 1) {
        loops[1] = loops[0];
        loops[0] = {1, 0, 0};
        rank = 2;
    }
    p.rank = rank;
    for (int i = 0; i < rank; ++i) {
        p.size[i] = loops[i].n;
        p.src[i] = loops[i].src;
        p.dst[i] = loops[i].dst;
    }
    if (p.kind == p.kWhole) {
        p.size[1] *= bytes;
        p.units = (p.size[1] + p.kWholeBytes - 1) / p.kWholeBytes;
        return p;
    }
    constexpr int64_t kUnitBytes = 32768;
    const int64_t n1 = p.size[rank - 2], row = p.size[rank - 1] * bytes;
    p.chunk = std::clamp<int64_t>(kUnitBytes / row, p.kind == p.kTranspose ? 32 : 1, n1 < 32 ? 32 : n1);
    p.rows = (n1 + p.chunk - 1) / p.chunk;
    for (int i = 0; i + 2 < rank; ++i) p.rows *= p.size[i];
    p.group = std::max<int64_t>(1, kUnitBytes / (std::min(p.chunk, n1) * row));
    p.units = (p.rows + p.group - 1) / p.group;
    return p;
}

}  // namespace coffer::ops
