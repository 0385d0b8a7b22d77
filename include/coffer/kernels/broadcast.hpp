// Broadcasting loops. Only arch.cpp includes this file. One driver walks the outer axes for every op; an op is a
// function on one row, in which an operand is a contiguous run (step 1) or a single element (step 0).
#pragma once

#include "coffer/base/dtype.hpp"
#include "coffer/kernels/broadcast_params.hpp"
#include "coffer/kernels/elementwise.hpp"
#include "coffer/kernels/simd.hpp"

namespace coffer::kernels {

using RowFn = void (*)(const void* const* src, const size_t* step, void* dst, size_t n);

// Position on the outer axes and the element offset of each input there.
template <class Arch>
struct RowCursor {
    const BroadcastParams& p;
    size_t index[kBroadcastAxes];
    size_t offset[kBroadcastInputs] = {};

    RowCursor(const BroadcastParams& params, size_t row) : p(params) {
        for (int d = 0; d < p.rank; ++d) {
            index[d] = row % p.dims[d];
            row /= p.dims[d];
            for (int k = 0; k < p.inputs; ++k) offset[k] += index[d] * p.stride[k][d];
        }
    }
    void next() {
        for (int d = 0; d < p.rank; ++d) {
            for (int k = 0; k < p.inputs; ++k) offset[k] += p.stride[k][d];
            if (++index[d] < p.dims[d]) return;
            for (int k = 0; k < p.inputs; ++k) offset[k] -= p.dims[d] * p.stride[k][d];
            index[d] = 0;
        }
    }
};

template <class Arch>
const char* element(const void* base, size_t index, size_t bytes) {
    return static_cast<const char*>(base) + index * bytes;
}

// Rows too short for a vector loop: `n` elements from output position `first` are gathered from every input that
// does not lie like the output, and handled as one row.
template <class Arch>
void staged_rows(const BroadcastParams& p, void* const* operands, size_t first, size_t n, RowFn row) {
    constexpr size_t kGathered = 256;
    constexpr size_t kDense[kBroadcastInputs] = {1, 1, 1};
    alignas(64) char buffer[kBroadcastInputs][kGathered * 8];
    RowCursor<Arch> at(p, first / p.inner);
    size_t column = first % p.inner;
    for (size_t done = 0; done < n;) {
        const size_t chunk = n - done < kGathered ? n - done : kGathered;
        for (size_t i = 0; i < chunk; ++i) {
            for (int k = 0; k < p.inputs; ++k) {
                if (p.dense[k]) continue;
                const char* src = element<Arch>(operands[k], at.offset[k] + column * p.step[k], p.bytes[k]);
                switch (p.bytes[k]) {
                    case 1: buffer[k][i] = *src; break;
                    case 2: __builtin_memcpy(buffer[k] + i * 2, src, 2); break;
                    case 4: __builtin_memcpy(buffer[k] + i * 4, src, 4); break;
                    default: __builtin_memcpy(buffer[k] + i * 8, src, 8); break;
                }
            }
            if (++column == p.inner) {
                column = 0;
                at.next();
            }
        }
        const void* src[kBroadcastInputs] = {};
        for (int k = 0; k < p.inputs; ++k) {
            src[k] = p.dense[k] ? element<Arch>(operands[k], first + done, p.bytes[k]) : buffer[k];
        }
        row(src, kDense, static_cast<char*>(operands[p.inputs]) + (first + done) * p.out_bytes, chunk);
        done += chunk;
    }
}

template <class Arch>
void for_each_row(const void* params, void* const* operands, size_t begin, size_t end, RowFn row) {
    const BroadcastParams& p = *static_cast<const BroadcastParams*>(params);
    if (p.staged()) {
        const size_t total = p.rows * p.inner, first = begin * kBroadcastBlock;
        const size_t last = end * kBroadcastBlock < total ? end * kBroadcastBlock : total;
        return staged_rows<Arch>(p, operands, first, last - first, row);
    }
    const auto run = [&](const RowCursor<Arch>& at, size_t r, size_t column, size_t n) {
        const void* src[kBroadcastInputs] = {};
        for (int k = 0; k < p.inputs; ++k) {
            src[k] = element<Arch>(operands[k], at.offset[k] + column * p.step[k], p.bytes[k]);
        }
        row(src, p.step, static_cast<char*>(operands[p.inputs]) + (r * p.inner + column) * p.out_bytes, n);
    };
    if (p.inner > kBroadcastBlock) {
        const size_t blocks = p.blocks_per_row();
        for (size_t u = begin; u < end; ++u) {
            const size_t column = u % blocks * kBroadcastBlock;
            const size_t rest = p.inner - column;
            run(RowCursor<Arch>(p, u / blocks), u / blocks, column, rest < kBroadcastBlock ? rest : kBroadcastBlock);
        }
        return;
    }
    const size_t last = end * p.rows_per_unit() < p.rows ? end * p.rows_per_unit() : p.rows;
    RowCursor<Arch> at(p, begin * p.rows_per_unit());
    for (size_t r = begin * p.rows_per_unit(); r < last; ++r, at.next()) run(at, r, 0, p.inner);
}

// A single element is repeated into a batch that is read again and again (step 0), so one loop does for all.
template <class Arch, class Op, class T>
[[gnu::noinline]] void binary_batches(const T* a, size_t a_step, const T* b, size_t b_step, T* dst, size_t batches) {
    using B = Batch<Arch, T>;
    for (size_t i = 0; i < batches; ++i) {
        const B x = B::load_unaligned(a + i * a_step), y = B::load_unaligned(b + i * b_step);
        Op::simd(x, y).store_unaligned(dst + i * B::size);
    }
}

template <class Arch, class Op, class T>
void binary_row(const void* const* src, const size_t* step, void* out, size_t n) {
    using B = Batch<Arch, T>;
    constexpr size_t kSize = B::size;
    const auto *a = static_cast<const T*>(src[0]), *b = static_cast<const T*>(src[1]);
    auto* dst = static_cast<T*>(out);
    alignas(64) T one_a[kSize], one_b[kSize];
    if (step[0] == 0) {
        B(*a).store_aligned(one_a);
        a = one_a;
    }
    if (step[1] == 0) {
        B(*b).store_aligned(one_b);
        b = one_b;
    }
    const size_t whole = n / kSize * kSize;
    binary_batches<Arch, Op, T>(a, step[0] * kSize, b, step[1] * kSize, dst, n / kSize);
    if (whole == n) return;
    alignas(64) T tail_a[kSize] = {}, tail_b[kSize] = {};
    for (size_t i = whole; i < n; ++i) {
        tail_a[i - whole] = a[i * step[0]];
        tail_b[i - whole] = b[i * step[1]];
    }
    binary_batches<Arch, Op, T>(tail_a, 0, tail_b, 0, tail_a, 1);
    for (size_t i = whole; i < n; ++i) dst[i] = tail_a[i - whole];
}

template <class Arch, class Op, class T>
bool binary_simd(const void* params, void* const* operands, size_t begin, size_t end) {
    for_each_row<Arch>(params, operands, begin, end, &binary_row<Arch, Op, T>);
    return true;
}

// An operand of a plain loop, seen in chunks of kChunk: a single element is repeated once, so that the loop over a
// chunk reads runs only; a chunk that the row does not fill is copied.
template <class Arch, class T>
class Chunks {
 public:
    Chunks(const void* src, size_t step) : base_(static_cast<const T*>(src)), step_(step) {
        for (size_t i = 0; step_ == 0 && i < kChunk; ++i) copy_[i] = *base_;
    }
    const T* at(size_t i, size_t n) {
        if (step_ == 0) return copy_;
        if (n - i >= kChunk) return base_ + i;
        __builtin_memcpy(copy_, base_ + i, (n - i) * sizeof(T));
        return copy_;
    }

 private:
    const T* base_;
    size_t step_;
    T copy_[kChunk] = {};
};

template <class Arch, class Op, class T, class R>
[[gnu::noinline]] void binary_chunk(const T* __restrict x, const T* __restrict y, R* __restrict dst) {
    for (size_t i = 0; i < kChunk; ++i) dst[i] = static_cast<R>(Op::apply(x[i], y[i]));
}

template <class Arch, class Op, class T, class R>
void binary_loop_row(const void* const* src, const size_t* step, void* out, size_t n) {
    Chunks<Arch, T> a(src[0], step[0]), b(src[1], step[1]);
    R* dst = static_cast<R*>(out);
    R part[kChunk];
    for (size_t i = 0; i < n; i += kChunk) {
        const bool whole = n - i >= kChunk;
        binary_chunk<Arch, Op>(a.at(i, n), b.at(i, n), whole ? dst + i : part);
        if (!whole) __builtin_memcpy(dst + i, part, (n - i) * sizeof(R));
    }
}

template <class Arch, class Op, class T, class R>
bool binary_loop(const void* params, void* const* operands, size_t begin, size_t end) {
    for_each_row<Arch>(params, operands, begin, end, &binary_loop_row<Arch, Op, Stored<T>, R>);
    return true;
}

// The exponents that models use are powers that multiplication or a square root give.
template <class Arch>
void pow_row(const void* const* src, const size_t* step, void* out, size_t n) {
    const auto *x = static_cast<const float*>(src[0]), *y = static_cast<const float*>(src[1]);
    auto* dst = static_cast<float*>(out);
    const bool one_exponent = step[0] == 1 && step[1] == 0;
    if (one_exponent && *y == 2.0f) {
        map_range<Arch>(x, dst, n, [](auto v) { return v * v; });
    } else if (one_exponent && *y == 3.0f) {
        map_range<Arch>(x, dst, n, [](auto v) { return v * v * v; });
    } else if (one_exponent && *y == -1.0f) {
        map_range<Arch>(x, dst, n, [](auto v) { return decltype(v)(1.0f) / v; });
    } else if (one_exponent && *y == 0.5f) {
        // pow(-0, 1/2) is +0 and pow(-inf, 1/2) is +inf, unlike the square root.
        map_range<Arch>(x, dst, n, [](auto v) {
            using V = decltype(v);
            return select(v < V(-3.4028235e38f), -v, sqrt(v + V(0.0f)));
        });
    } else {
        for (size_t i = 0; i < n; ++i) dst[i] = __builtin_powf(x[i * step[0]], y[i * step[1]]);
    }
}

template <class Arch>
bool pow_f32(const void* params, void* const* operands, size_t begin, size_t end) {
    for_each_row<Arch>(params, operands, begin, end, &pow_row<Arch>);
    return true;
}

template <class Arch, class T>
[[gnu::noinline]] void select_chunk(const uint8_t* __restrict c, const T* __restrict x, const T* __restrict y,
                                    T* __restrict dst) {
    for (size_t i = 0; i < kChunk; ++i) dst[i] = c[i] ? x[i] : y[i];
}

template <class Arch, class T>
void select_row(const void* const* src, const size_t* step, void* out, size_t n) {
    Chunks<Arch, uint8_t> condition(src[0], step[0]);
    Chunks<Arch, T> a(src[1], step[1]), b(src[2], step[2]);
    T* dst = static_cast<T*>(out);
    T part[kChunk];
    for (size_t i = 0; i < n; i += kChunk) {
        const bool whole = n - i >= kChunk;
        select_chunk<Arch>(condition.at(i, n), a.at(i, n), b.at(i, n), whole ? dst + i : part);
        if (!whole) __builtin_memcpy(dst + i, part, (n - i) * sizeof(T));
    }
}

template <class Arch, class T>
bool select_loop(const void* params, void* const* operands, size_t begin, size_t end) {
    for_each_row<Arch>(params, operands, begin, end, &select_row<Arch, T>);
    return true;
}

}  // namespace coffer::kernels
