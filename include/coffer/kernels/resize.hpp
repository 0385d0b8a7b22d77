// Resizing along two axes by tables of taps: linear for float32, nearest for elements of whole bytes. Knows
// nothing about coordinates: the tables hold those. Only arch.cpp includes this file.
#pragma once

#include "coffer/kernels/resize_params.hpp"
#include "coffer/kernels/simd.hpp"

namespace coffer::kernels {

template <class Arch>
struct ResizeLinear {
    using B = Batch<Arch, float>;
    static constexpr size_t kLanes = B::size;
    static constexpr size_t kBlend = 2048;  // input columns blended at a time

    static B mul_add(B x, B y, B z) {
        if constexpr (Arch::fma)
            return fma(x, y, z);
        else
            return x * y + z;
    }

    // dst = a * wa + b * wb
    static void blend(const float* a, const float* b, float wa, float wb, float* dst, size_t n) {
        const auto batch = [&](size_t i) {
            const B y = mul_add(B::load_unaligned(a + i), B(wa), B::load_unaligned(b + i) * B(wb));
            y.store_unaligned(dst + i);
        };
        if (n < kLanes) {
            for (size_t i = 0; i < n; ++i) dst[i] = a[i] * wa + b[i] * wb;
            return;
        }
        for (size_t i = 0; i + kLanes <= n; i += kLanes) batch(i);
        if (n % kLanes != 0) batch(n - kLanes);  // overlaps the one before
    }

    // Single elements: the two input rows are blended into one, a stretch at a time, and that along itself.
    static void elements(const ResizeParams& p, const ResizeTap& y, const float* a, const float* b, float* dst) {
        float row[kBlend];
        for (size_t x = 0; x < p.out_columns;) {
            const auto first = static_cast<size_t>(p.column[x].at[0]);
            size_t stop = x, count = 0;
            for (; stop < p.out_columns; ++stop) {
                const size_t reach = static_cast<size_t>(p.column[stop].at[1]) + 1 - first;
                if (reach > kBlend) break;
                count = reach;
            }
            blend(a + first, b + first, y.weight[0], y.weight[1], row, count);
            for (; x < stop; ++x) {
                const ResizeTap& t = p.column[x];
                dst[x] = row[static_cast<size_t>(t.at[0]) - first] * t.weight[0] +
                         row[static_cast<size_t>(t.at[1]) - first] * t.weight[1];
            }
        }
    }

    // Runs of channels: four of them make one.
    static void runs(const ResizeParams& p, const ResizeTap& y, const float* a, const float* b, float* dst) {
        for (size_t x = 0; x < p.out_columns; ++x, dst += p.run) {
            const ResizeTap& t = p.column[x];
            const size_t left = static_cast<size_t>(t.at[0]) * p.run, right = static_cast<size_t>(t.at[1]) * p.run;
            const float w[] = {y.weight[0] * t.weight[0], y.weight[0] * t.weight[1], y.weight[1] * t.weight[0],
                               y.weight[1] * t.weight[1]};
            const float *a0 = a + left, *a1 = a + right, *b0 = b + left, *b1 = b + right;
            const auto batch = [&](size_t i) {
                B sum = B::load_unaligned(a0 + i) * B(w[0]);
                sum = mul_add(B::load_unaligned(a1 + i), B(w[1]), sum);
                sum = mul_add(B::load_unaligned(b0 + i), B(w[2]), sum);
                sum = mul_add(B::load_unaligned(b1 + i), B(w[3]), sum);
                sum.store_unaligned(dst + i);
            };
            if (p.run < kLanes) {
                for (size_t i = 0; i < p.run; ++i) dst[i] = a0[i] * w[0] + a1[i] * w[1] + b0[i] * w[2] + b1[i] * w[3];
                continue;
            }
            for (size_t i = 0; i + kLanes <= p.run; i += kLanes) batch(i);
            if (p.run % kLanes != 0) batch(p.run - kLanes);
        }
    }
};

template <class Arch>
bool resize_linear_f32(const void* params, void* const* operands, size_t begin, size_t end) {
    const auto& p = *static_cast<const ResizeParams*>(params);
    const size_t in_row = p.in_columns * p.run, out_row = p.out_columns * p.run;
    for (size_t unit = begin; unit < end; ++unit) {
        const ResizeTap& y = p.row[unit % p.out_rows];
        const float* plane = static_cast<const float*>(operands[0]) + unit / p.out_rows * p.in_rows * in_row;
        const float* a = plane + static_cast<size_t>(y.at[0]) * in_row;
        const float* b = plane + static_cast<size_t>(y.at[1]) * in_row;
        float* dst = static_cast<float*>(operands[1]) + unit * out_row;
        if (p.run == 1)
            ResizeLinear<Arch>::elements(p, y, a, b, dst);
        else
            ResizeLinear<Arch>::runs(p, y, a, b, dst);
    }
    return true;
}

template <class Arch>
struct ResizeNearest {
    template <size_t N>
    static void pick(const ResizeParams& p, const char* src, char* dst) {
        for (size_t x = 0; x < p.out_columns; ++x)
            __builtin_memcpy(dst + x * N, src + static_cast<size_t>(p.column[x].at[0]) * N, N);
    }
    static void row(const ResizeParams& p, const char* src, char* dst) {
        switch (p.run) {
            case 1: return pick<1>(p, src, dst);
            case 2: return pick<2>(p, src, dst);
            case 4: return pick<4>(p, src, dst);
            case 8: return pick<8>(p, src, dst);
            case 16: return pick<16>(p, src, dst);
        }
        for (size_t x = 0; x < p.out_columns; ++x)
            __builtin_memcpy(dst + x * p.run, src + static_cast<size_t>(p.column[x].at[0]) * p.run, p.run);
    }
};

template <class Arch>
bool resize_nearest(const void* params, void* const* operands, size_t begin, size_t end) {
    const auto& p = *static_cast<const ResizeParams*>(params);
    const size_t in_row = p.in_columns * p.run, out_row = p.out_columns * p.run;
    for (size_t unit = begin; unit < end; ++unit) {
        const size_t from = unit / p.out_rows * p.in_rows + static_cast<size_t>(p.row[unit % p.out_rows].at[0]);
        ResizeNearest<Arch>::row(p, static_cast<const char*>(operands[0]) + from * in_row,
                                 static_cast<char*>(operands[1]) + unit * out_row);
    }
    return true;
}

}  // namespace coffer::kernels
