// Softmax and its logarithm on float32. Only arch.cpp includes this file.
#pragma once

#include "coffer/kernels/elementwise.hpp"
#include "coffer/kernels/reduce.hpp"
#include "coffer/kernels/softmax_params.hpp"
#include "coffer/kernels/vecmath.hpp"

namespace coffer::kernels {

// dst = e^(src - largest) and the sum of that; with `log` only the sum. The tail is padded with -inf, which adds 0.
template <class Arch>
float exp_run(const float* src, float* dst, size_t n, float largest, bool log) {
    using B = Batch<Arch, float>;
    const B top(largest);
    B sum(0.0f);
    size_t i = 0;
    for (; i + B::size <= n; i += B::size) {
        const B e = vexp(B::load_unaligned(src + i) - top);
        if (!log) e.store_unaligned(dst + i);
        sum += e;
    }
    if (i < n) {
        alignas(64) float tail[B::size];
        for (size_t k = 0; k < B::size; ++k) tail[k] = k < n - i ? src[i + k] - largest : -__builtin_inff();
        const B e = vexp(B::load_aligned(tail));
        e.store_aligned(tail);
        for (size_t k = i; k < n && !log; ++k) dst[k] = tail[k - i];
        sum += e;
    }
    return reduce_lanes<Arch, SumOf>(sum);
}

template <class Arch>
void softmax_row(const float* src, float* dst, size_t n, bool log) {
    using B = Batch<Arch, float>;
    const float largest = reduce_lanes<Arch, Largest>(reduce_run<Arch, Largest>(src, n, B(-__builtin_inff())));
    const float sum = exp_run<Arch>(src, dst, n, largest, log);
    if (log) {
        const float log_sum = __builtin_logf(sum);
        map_range<Arch>(src, dst, n, [=](auto x) { return x - decltype(x)(largest) - decltype(x)(log_sum); });
    } else {
        const float scale = 1.0f / sum;
        map_range<Arch>(dst, dst, n, [=](auto x) { return x * decltype(x)(scale); });
    }
}

// One batch of lines that lie side by side, `stride` elements from one step along the axis to the next.
template <class Arch>
void softmax_columns(const float* src, float* dst, size_t n, size_t stride, bool log) {
    using B = Batch<Arch, float>;
    B largest(-__builtin_inff()), sum(0.0f);
    for (size_t k = 0; k < n; ++k) largest = Largest::combine(largest, B::load_unaligned(src + k * stride));
    for (size_t k = 0; k < n; ++k) {
        const B e = vexp(B::load_unaligned(src + k * stride) - largest);
        if (!log) e.store_unaligned(dst + k * stride);
        sum += e;
    }
    const B scale = B(1.0f) / sum;
    const B shift = log ? largest + xsimd::log(sum) : largest;
    for (size_t k = 0; k < n; ++k) {
        const size_t i = k * stride;
        const B y = log ? B::load_unaligned(src + i) - shift : B::load_unaligned(dst + i) * scale;
        y.store_unaligned(dst + i);
    }
}

// A single line of those that are too few for a batch, gathered a block at a time.
template <class Arch>
void softmax_strided(const float* src, float* dst, size_t n, size_t stride, bool log) {
    float largest = -__builtin_inff(), sum = 0;
    for (size_t k = 0; k < n; ++k)
        largest = src[k * stride] > largest || src[k * stride] != src[k * stride] ? src[k * stride] : largest;
    constexpr size_t kBlock = 64;
    float block[kBlock];
    const auto each_block = [&](auto&& f) {
        for (size_t first = 0; first < n; first += kBlock) f(first, n - first < kBlock ? n - first : kBlock);
    };
    each_block([&](size_t first, size_t m) {
        for (size_t k = 0; k < m; ++k) block[k] = src[(first + k) * stride];
        sum += exp_run<Arch>(block, block, m, largest, log);
        for (size_t k = 0; k < m && !log; ++k) dst[(first + k) * stride] = block[k];
    });
    const float scale = 1 / sum, log_sum = log ? __builtin_logf(sum) : 0;
    for (size_t k = 0; k < n; ++k) {
        const size_t i = k * stride;
        dst[i] = log ? src[i] - largest - log_sum : dst[i] * scale;
    }
}

template <class Arch>
bool softmax_f32(const void* params, void* const* operands, size_t begin, size_t end) {
    using B = Batch<Arch, float>;
    const auto& p = *static_cast<const SoftmaxParams*>(params);
    const auto* src = static_cast<const float*>(operands[0]);
    auto* dst = static_cast<float*>(operands[1]);
    const size_t each = p.items_per_unit(), items = p.items();
    const size_t last = end * each < items ? end * each : items;
    for (size_t item = begin * each; item < last; ++item) {
        if (p.inner == 1) {
            softmax_row<Arch>(src + item * p.n, dst + item * p.n, p.n, p.log);
            continue;
        }
        const size_t base = item / p.blocks() * p.n * p.inner;
        const size_t first = item % p.blocks() * kSoftmaxColumns;
        const size_t stop = p.inner - first < kSoftmaxColumns ? p.inner : first + kSoftmaxColumns;
        size_t i = first;
        for (; i + B::size <= stop; i += B::size) {
            softmax_columns<Arch>(src + base + i, dst + base + i, p.n, p.inner, p.log);
        }
        for (; i < stop; ++i) softmax_strided<Arch>(src + base + i, dst + base + i, p.n, p.inner, p.log);
    }
    return true;
}

}  // namespace coffer::kernels
