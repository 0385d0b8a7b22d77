// Reductions of float32. Only arch.cpp includes this file.
#pragma once

#include "coffer/kernels/reduce_params.hpp"
#include "coffer/kernels/simd.hpp"

namespace coffer::kernels {

struct SumOf {
    static constexpr float identity = 0;
    template <class V>
    static V map(V x) {
        return x;
    }
    template <class V>
    static V combine(V a, V b) {
        return a + b;
    }
};
struct SumOfMagnitudes : SumOf {
    template <class V>
    static V map(V x) {
        return abs(x);
    }
};
struct SumOfSquares : SumOf {
    template <class V>
    static V map(V x) {
        return x * x;
    }
};
// NaN wins.
struct Largest : SumOf {
    static constexpr float identity = -__builtin_inff();
    template <class V>
    static V combine(V a, V b) {
        return select(b == b, max(b, a), b);
    }
};
struct Smallest : SumOf {
    static constexpr float identity = __builtin_inff();
    template <class V>
    static V combine(V a, V b) {
        return select(b == b, min(b, a), b);
    }
};

template <class Arch>
size_t reduce_offset(size_t i, int rank, const size_t* dims, const size_t* strides) {
    size_t offset = 0;
    for (int d = 0; d < rank; ++d) {
        offset += i % dims[d] * strides[d];
        i /= dims[d];
    }
    return offset;
}

// The lanes of a batch combined, always in the same order.
template <class Arch, class Policy>
float reduce_lanes(Batch<Arch, float> v) {
    using B = Batch<Arch, float>;
    alignas(64) float lanes[B::size];
    v.store_aligned(lanes);
    for (size_t width = B::size / 2; width > 0; width /= 2) {
        for (size_t i = 0; i < width; ++i) {
            // As batches, because a policy's formula is written for them.
            lanes[i] = Policy::combine(B(lanes[i]), B(lanes[i + width])).get(0);
        }
    }
    return lanes[0];
}

// A run of n elements. In blocks, each with its own sums: rounding grows with the block, not with the run.
template <class Arch, class Policy>
Batch<Arch, float> reduce_run(const float* src, size_t n, Batch<Arch, float> total) {
    using B = Batch<Arch, float>;
    constexpr size_t kBlock = 256 * B::size;
    size_t i = 0;
    while (n - i >= B::size) {
        const size_t last = n - i > kBlock ? i + kBlock : n / B::size * B::size;
        B a0(Policy::identity), a1 = a0, a2 = a0, a3 = a0;
        for (; i + 4 * B::size <= last; i += 4 * B::size) {
            a0 = Policy::combine(a0, Policy::map(B::load_unaligned(src + i)));
            a1 = Policy::combine(a1, Policy::map(B::load_unaligned(src + i + B::size)));
            a2 = Policy::combine(a2, Policy::map(B::load_unaligned(src + i + 2 * B::size)));
            a3 = Policy::combine(a3, Policy::map(B::load_unaligned(src + i + 3 * B::size)));
        }
        for (; i < last; i += B::size) a0 = Policy::combine(a0, Policy::map(B::load_unaligned(src + i)));
        total = Policy::combine(total, Policy::combine(Policy::combine(a0, a1), Policy::combine(a2, a3)));
    }
    if (i < n) {
        alignas(64) float tail[B::size];
        for (size_t k = 0; k < B::size; ++k) tail[k] = Policy::identity;
        for (size_t k = i; k < n; ++k) tail[k - i] = src[k];
        total = Policy::combine(total, Policy::map(B::load_aligned(tail)));
    }
    return total;
}

template <class Arch>
float reduce_finish(const ReduceParams& p, float x) {
    return p.square_root ? __builtin_sqrtf(x) : x * p.scale;
}

// kCount batches next to each other, over all combinations of the reduced axes.
template <class Arch, class Policy, int kCount>
void reduce_columns(const ReduceParams& p, const float* src, float* dst) {
    using B = Batch<Arch, float>;
    B acc[kCount];
    for (int k = 0; k < kCount; ++k) acc[k] = B(Policy::identity);
    const size_t run = p.reduced_rank > 0 ? p.reduced_dims[0] : 1;
    const size_t stride = p.reduced_rank > 0 ? p.reduced_strides[0] : 0;
    for (size_t r = 0; r < p.reduced; r += run) {
        const float* row = src + reduce_offset<Arch>(r, p.reduced_rank, p.reduced_dims, p.reduced_strides);
        for (size_t i = 0; i < run; ++i, row += stride) {
            for (int k = 0; k < kCount; ++k) {
                acc[k] = Policy::combine(acc[k], Policy::map(B::load_unaligned(row + k * B::size)));
            }
        }
    }
    for (int k = 0; k < kCount; ++k) {
        const B result = p.square_root ? sqrt(acc[k]) : acc[k] * B(p.scale);
        result.store_unaligned(dst + k * B::size);
    }
}

// Fewer columns than a batch: a padded copy of each row.
template <class Arch, class Policy>
void reduce_tail(const ReduceParams& p, const float* src, float* dst, size_t n) {
    using B = Batch<Arch, float>;
    B acc(Policy::identity);
    alignas(64) float row[B::size] = {};
    for (size_t r = 0; r < p.reduced; ++r) {
        const float* from = src + reduce_offset<Arch>(r, p.reduced_rank, p.reduced_dims, p.reduced_strides);
        for (size_t k = 0; k < n; ++k) row[k] = from[k];
        acc = Policy::combine(acc, Policy::map(B::load_aligned(row)));
    }
    acc.store_aligned(row);
    for (size_t k = 0; k < n; ++k) dst[k] = reduce_finish<Arch>(p, row[k]);
}

template <class Arch, class Policy>
void reduce_item(const ReduceParams& p, const float* src, float* dst, size_t item) {
    using B = Batch<Arch, float>;
    const size_t at = item / p.blocks();
    src += reduce_offset<Arch>(at, p.kept_rank, p.kept_dims, p.kept_strides);
    if (p.inner_reduced) {
        B total(Policy::identity);
        for (size_t r = 0; r < p.reduced; ++r) {
            const size_t offset = reduce_offset<Arch>(r, p.reduced_rank, p.reduced_dims, p.reduced_strides);
            total = reduce_run<Arch, Policy>(src + offset, p.inner, total);
        }
        dst[at] = reduce_finish<Arch>(p, reduce_lanes<Arch, Policy>(total));
        return;
    }
    const size_t first = item % p.blocks() * kReduceColumns;
    const size_t last = p.inner - first < kReduceColumns ? p.inner : first + kReduceColumns;
    dst += at * p.inner;
    size_t i = first;
    for (; i + 4 * B::size <= last; i += 4 * B::size) reduce_columns<Arch, Policy, 4>(p, src + i, dst + i);
    for (; i + B::size <= last; i += B::size) reduce_columns<Arch, Policy, 1>(p, src + i, dst + i);
    if (i < last) reduce_tail<Arch, Policy>(p, src + i, dst + i, last - i);
}

template <class Arch, class Policy>
bool reduce_f32(const void* params, void* const* operands, size_t begin, size_t end) {
    const auto& p = *static_cast<const ReduceParams*>(params);
    const auto* src = static_cast<const float*>(operands[0]);
    auto* dst = static_cast<float*>(operands[1]);
    const size_t each = p.items_per_unit(), items = p.items();
    const size_t last = end * each < items ? end * each : items;
    for (size_t i = begin * each; i < last; ++i) reduce_item<Arch, Policy>(p, src, dst, i);
    return true;
}

}  // namespace coffer::kernels
