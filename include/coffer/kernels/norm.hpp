// Normalizations of float32. Only arch.cpp includes this file.
#pragma once

#include "coffer/kernels/norm_params.hpp"
#include "coffer/kernels/reduce.hpp"
#include "coffer/kernels/simd.hpp"

namespace coffer::kernels {

// The first n < size lanes from memory, the others zero; and back.
template <class Arch>
Batch<Arch, float> load_part(const float* src, size_t n) {
    using B = Batch<Arch, float>;
    alignas(64) float lanes[B::size] = {};
    for (size_t i = 0; i < n; ++i) lanes[i] = src[i];
    return B::load_aligned(lanes);
}
template <class Arch>
void store_part(Batch<Arch, float> v, float* dst, size_t n) {
    alignas(64) float lanes[Batch<Arch, float>::size];
    v.store_aligned(lanes);
    for (size_t i = 0; i < n; ++i) dst[i] = lanes[i];
}

// f(batch index, load, store) over n elements; `load` and `store` are whole but at the end.
template <class Arch, class F>
void for_each_batch(size_t n, const F& f) {
    using B = Batch<Arch, float>;
    size_t i = 0;
    for (; i + B::size <= n; i += B::size) {
        f(
            i, [](const float* p) { return B::load_unaligned(p); }, [](B v, float* p) { v.store_unaligned(p); });
    }
    if (i < n) {
        const size_t rest = n - i;
        f(
            i, [=](const float* p) { return load_part<Arch>(p, rest); },
            [=](B v, float* p) { store_part<Arch>(v, p, rest); });
    }
}

// Mean and 1 / standard deviation of a run; with rms the mean counts as 0. The mean in float32 is off by up to
// half a unit, much when the values are far from zero and close together: `rest` is what remains to take off,
// known from the second pass.
template <class Arch>
struct RunMoments {
    float mean = 0, rest = 0, inverse;

    RunMoments(const float* src, size_t n, float epsilon, bool rms) {
        using B = Batch<Arch, float>;
        const float scale = 1.0f / static_cast<float>(n);
        float variance;
        if (rms) {
            variance = reduce_lanes<Arch, SumOf>(reduce_run<Arch, SumOfSquares>(src, n, B(0.0f))) * scale;
        } else {
            mean = reduce_lanes<Arch, SumOf>(reduce_run<Arch, SumOf>(src, n, B(0.0f))) * scale;
            float squares;
            distances(src, n, &rest, &squares);
            rest *= scale;
            variance = squares * scale - rest * rest;
        }
        inverse = 1.0f / __builtin_sqrtf(variance + epsilon);
    }

 private:
    // Sums of x - mean and of its square.
    void distances(const float* src, size_t n, float* sum, float* squares) const {
        using B = Batch<Arch, float>;
        const B m(mean);
        B s0(0.0f), s1(0.0f), q0(0.0f), q1(0.0f);
        size_t i = 0;
        for (; i + 2 * B::size <= n; i += 2 * B::size) {
            const B d0 = B::load_unaligned(src + i) - m, d1 = B::load_unaligned(src + i + B::size) - m;
            s0 = s0 + d0;
            s1 = s1 + d1;
            q0 = fma(d0, d0, q0);
            q1 = fma(d1, d1, q1);
        }
        *sum = reduce_lanes<Arch, SumOf>(s0 + s1);
        *squares = reduce_lanes<Arch, SumOf>(q0 + q1);
        for (; i < n; ++i) {
            const float d = src[i] - mean;
            *sum += d;
            *squares += d * d;
        }
    }
};

template <class Arch>
void add_skip(const float* src, const float* skip, const float* bias, float* dst, size_t n) {
    for_each_batch<Arch>(n, [&](size_t i, auto load, auto store) {
        auto x = load(src + i) + load(skip + i);
        if (bias) x = x + load(bias + i);
        store(x, dst + i);
    });
}

template <class Arch>
bool row_norm_f32(const void* params, void* const* operands, size_t begin, size_t end) {
    using B = Batch<Arch, float>;
    const auto& p = *static_cast<const RowNormParams*>(params);
    const auto at = [&](int i) { return static_cast<float*>(operands[i]); };
    const float *scale = at(2), *bias = at(3), *skip = at(4), *skip_bias = at(5);
    float *sum = at(6), *means = at(7), *inverses = at(8);
    const size_t each = p.rows_per_unit();
    const size_t last = end * each < p.rows ? end * each : p.rows;
    for (size_t r = begin * each; r < last; ++r) {
        const float* src = at(0) + r * p.n;
        float* dst = at(1) + r * p.n;
        if (skip) {
            float* with_skip = sum ? sum + r * p.n : dst;
            add_skip<Arch>(src, skip + r % p.skip_rows * p.n, skip_bias, with_skip, p.n);
            src = with_skip;
        }
        const RunMoments<Arch> m(src, p.n, p.epsilon, p.rms);
        for_each_batch<Arch>(p.n, [&](size_t i, auto load, auto store) {
            const B y = fma(load(src + i) - B(m.mean), B(m.inverse), B(-m.rest * m.inverse));
            store(bias ? fma(y, load(scale + i), load(bias + i)) : y * load(scale + i), dst + i);
        });
        if (means) means[r] = m.mean + m.rest;
        if (inverses) inverses[r] = m.inverse;
    }
    return true;
}

// dst = (src - mean) * factor + shift
template <class Arch>
void affine_run(const float* src, float* dst, size_t n, float mean, float factor, float shift) {
    using B = Batch<Arch, float>;
    for_each_batch<Arch>(n, [&](size_t i, auto load, auto store) {
        store(fma(load(src + i) - B(mean), B(factor), B(shift)), dst + i);
    });
}

template <class Arch>
bool group_norm_f32(const void* params, void* const* operands, size_t begin, size_t end) {
    const auto& p = *static_cast<const GroupNormParams*>(params);
    const auto *scale = static_cast<const float*>(operands[2]), *bias = static_cast<const float*>(operands[3]);
    const size_t n = p.channels * p.inner, each = p.per_unit();
    const size_t last = end * each < p.count ? end * each : p.count;
    for (size_t g = begin * each; g < last; ++g) {
        const float* src = static_cast<const float*>(operands[0]) + g * n;
        float* dst = static_cast<float*>(operands[1]) + g * n;
        const RunMoments<Arch> m(src, n, p.epsilon, false);
        for (size_t k = 0; k < p.channels; ++k) {
            const size_t channel = g % p.groups * p.channels + k;
            const float factor = m.inverse * scale[channel];
            affine_run<Arch>(src + k * p.inner, dst + k * p.inner, p.inner, m.mean, factor,
                             bias[channel] - m.rest * factor);
        }
    }
    return true;
}

template <class Arch>
bool batch_norm_factors(const void* params, void* const* operands, size_t, size_t) {
    const auto& p = *static_cast<const ChannelAffineParams*>(params);
    const auto at = [&](int i) { return static_cast<const float*>(operands[i]); };
    auto* out = static_cast<float*>(operands[4]);
    for (size_t k = 0; k < p.channels; ++k) {
        out[k] = at(0)[k] / __builtin_sqrtf(at(3)[k] + p.epsilon);
        out[p.channels + k] = at(1)[k] - at(2)[k] * out[k];
    }
    return true;
}

template <class Arch>
bool channel_affine_f32(const void* params, void* const* operands, size_t begin, size_t end) {
    const auto& p = *static_cast<const ChannelAffineParams*>(params);
    const auto* factors = static_cast<const float*>(operands[2]);
    const float* shifts = factors + p.channels;
    const size_t each = p.per_unit(), n = p.row();
    const size_t last = end * each < p.rows ? end * each : p.rows;
    for (size_t r = begin * each; r < last; ++r) {
        const float* src = static_cast<const float*>(operands[0]) + r * n;
        float* dst = static_cast<float*>(operands[1]) + r * n;
        if (p.inner == 1) {
            for_each_batch<Arch>(n, [&](size_t i, auto load, auto store) {
                store(fma(load(src + i), load(factors + i), load(shifts + i)), dst + i);
            });
        } else {
            affine_run<Arch>(src, dst, n, 0, factors[r % p.channels], shifts[r % p.channels]);
        }
    }
    return true;
}

}  // namespace coffer::kernels
