// Bodies of pool.hpp. Only arch.cpp includes this file.
#pragma once

#include <limits>

#include "coffer/kernels/pool.hpp"
#include "coffer/kernels/simd.hpp"

namespace coffer::kernels {

// The fold of a window: its first value, one step, on a batch or on one element. max(x, best) keeps `best`
// when x is NaN, as the reference does.
template <class Arch, class T, PoolKind kind>
struct PoolOp {
    using B = Batch<Arch, T>;
    static constexpr T start() {
        if constexpr (kind == PoolKind::kAverage)
            return T(0);
        else if constexpr (std::numeric_limits<T>::has_infinity)
            return -std::numeric_limits<T>::infinity();
        else
            return std::numeric_limits<T>::lowest();
    }
    static B fold(B so_far, B x) {
        if constexpr (kind == PoolKind::kAverage)
            return so_far + x;
        else if constexpr (std::numeric_limits<T>::has_infinity)
            return select(x > so_far, x, so_far);
        else
            return max(x, so_far);
    }
    static T fold(T so_far, T x) {
        if constexpr (kind == PoolKind::kAverage)
            return so_far + x;
        else
            return x > so_far ? x : so_far;
    }
};

template <class Arch>
struct PoolRange {
    int64_t first, last;  // taps on the input
    int64_t counted;      // taps that an average divides by
    PoolRange(const PoolParamsAxis& a, int64_t o, bool count_padding) {
        const int64_t start = o * a.stride - a.pad_begin;
        first = tap(a, start, 0);
        last = tap(a, start, a.in);
        counted = count_padding ? tap(a, start, a.in + a.pad_end) : last - first;
    }
    static int64_t tap(const PoolParamsAxis& a, int64_t start, int64_t at) {
        const int64_t gap = at - start;
        const int64_t k = gap <= 0 ? 0 : (gap + a.dilation - 1) / a.dilation;
        return k < a.kernel ? k : a.kernel;
    }
};

// 1 / taps, or 0 for a window without taps, whose sum is 0 anyway.
template <class Arch>
float pool_scale(double taps) {
    return taps > 0 ? static_cast<float>(1 / taps) : 0.0f;
}

#if defined(__AVX512BW__)
// The first `count` elements of a batch, fewer than all.
template <class T>
static inline auto load_first(const T* src, size_t count) {
    if constexpr (sizeof(T) == 4) return _mm512_maskz_loadu_ps(static_cast<__mmask16>((1u << count) - 1), src);
    if constexpr (sizeof(T) == 1) return _mm512_maskz_loadu_epi8((uint64_t{1} << count) - 1, src);
}
template <class T, class Register>
static inline void store_first(T* dst, Register value, size_t count) {
    if constexpr (sizeof(T) == 4) _mm512_mask_storeu_ps(dst, static_cast<__mmask16>((1u << count) - 1), value);
    if constexpr (sizeof(T) == 1) _mm512_mask_storeu_epi8(dst, (uint64_t{1} << count) - 1, value);
}
#endif

// Folds the taps of one output position for channels [c, c + kBatches * B::size). kMasked: only `count` channels of
// one batch, on rows that have masks.
template <class Arch, class T, PoolKind kind, int kBatches, bool kMasked = false>
void pool_position(const PoolParams& p, const PoolRange<Arch> (&r)[3], const T* origin, size_t c, T* dst, float scale,
                   [[maybe_unused]] size_t count = 0) {
    using Op = PoolOp<Arch, T, kind>;
    using B = typename Op::B;
    const auto load = [&](const T* from) {
#if defined(__AVX512BW__)
        if constexpr (kMasked) return B(load_first(from, count));
#endif
        return B::load_unaligned(from);
    };
    const auto step = static_cast<int64_t>(p.channels);
    const int64_t w_step = p.axes[2].dilation * step;
    B acc[kBatches];
    for (B& a : acc) a = B(Op::start());
    for (int64_t kd = r[0].first; kd < r[0].last; ++kd) {
        for (int64_t kh = r[1].first; kh < r[1].last; ++kh) {
            const int64_t row = (kd * p.axes[0].dilation * p.axes[1].in + kh * p.axes[1].dilation) * p.axes[2].in;
            const T* src = origin + row * step + r[2].first * w_step + static_cast<int64_t>(c);
            for (int64_t kw = r[2].first; kw < r[2].last; ++kw, src += w_step) {
                for (int i = 0; i < kBatches; ++i) acc[i] = Op::fold(acc[i], load(src + i * B::size));
            }
        }
    }
    for (int i = 0; i < kBatches; ++i) {
        if constexpr (kind == PoolKind::kAverage) acc[i] *= B(scale);
#if defined(__AVX512BW__)
        if constexpr (kMasked) {
            store_first(dst + c, acc[i].data, count);
            continue;
        }
#endif
        acc[i].store_unaligned(dst + c + i * B::size);
    }
}

// The same for the few channels of a tensor narrower than a batch.
template <class Arch, class T, PoolKind kind>
void pool_position_narrow(const PoolParams& p, const PoolRange<Arch> (&r)[3], const T* origin, T* dst, float scale) {
    using Op = PoolOp<Arch, T, kind>;
    const auto step = static_cast<int64_t>(p.channels);
    for (size_t c = 0; c < p.channels; ++c) {
        T acc = Op::start();
        for (int64_t kd = r[0].first; kd < r[0].last; ++kd) {
            for (int64_t kh = r[1].first; kh < r[1].last; ++kh) {
                const int64_t row = (kd * p.axes[0].dilation * p.axes[1].in + kh * p.axes[1].dilation) * p.axes[2].in;
                for (int64_t kw = r[2].first; kw < r[2].last; ++kw) {
                    acc = Op::fold(acc, origin[(row + kw * p.axes[2].dilation) * step + static_cast<int64_t>(c)]);
                }
            }
        }
        if constexpr (kind == PoolKind::kAverage) acc *= scale;
        dst[c] = acc;
    }
}

template <class Arch, class T, PoolKind kind>
bool pool_channels_last(const void* params, void* const* operands, size_t begin, size_t end) {
    constexpr size_t kLanes = Batch<Arch, T>::size;
    const auto& p = *static_cast<const PoolParams*>(params);
    const PoolParamsAxis &d = p.axes[0], &h = p.axes[1], &w = p.axes[2];
    const auto step = static_cast<int64_t>(p.channels);
    for (size_t unit = begin; unit < end; ++unit) {
        const auto u = static_cast<int64_t>(unit);
        const int64_t oh = u % h.out, od = u / h.out % d.out, n = u / h.out / d.out;
        auto* dst = static_cast<T*>(operands[1]) + u * w.out * step;
        for (int64_t ow = 0; ow < w.out; ++ow, dst += step) {
            const PoolRange<Arch> r[3] = {
                {d, od, p.count_padding}, {h, oh, p.count_padding}, {w, ow, p.count_padding}};
            // Where tap (0, 0, 0) would be; may lie before the tensor, so it is only ever offset, never read.
            const int64_t at =
                ((n * d.in + od * d.stride - d.pad_begin) * h.in + oh * h.stride - h.pad_begin) * w.in +
                ow * w.stride - w.pad_begin;
            const T* origin = static_cast<const T*>(operands[0]) + at * step;
            const float scale =
                pool_scale<Arch>(static_cast<double>(r[0].counted) * static_cast<double>(r[1].counted) *
                                 static_cast<double>(r[2].counted));
            if (!Arch::avx512 && p.channels < kLanes) {
                pool_position_narrow<Arch, T, kind>(p, r, origin, dst, scale);
                continue;
            }
            size_t c = 0;
            for (; c + 4 * kLanes <= p.channels; c += 4 * kLanes) {
                pool_position<Arch, T, kind, 4>(p, r, origin, c, dst, scale);
            }
            for (; c + kLanes <= p.channels; c += kLanes)
                pool_position<Arch, T, kind, 1>(p, r, origin, c, dst, scale);
            if (c == p.channels) continue;
            if constexpr (Arch::avx512) {
                pool_position<Arch, T, kind, 1, true>(p, r, origin, c, dst, scale, p.channels - c);
            } else {  // the last batch overlaps the one before: the same values are written twice
                pool_position<Arch, T, kind, 1>(p, r, origin, p.channels - kLanes, dst, scale);
            }
        }
    }
    return true;
}

// Folds input columns [x, x + count) of all rows in the window into `row`; columns outside the input hold
// the fold's first value.
template <class Arch, class T, PoolKind kind>
void pool_column(const PoolParams& p, const PoolRange<Arch>& rd, const PoolRange<Arch>& rh, const T* origin,
                 int64_t x, int64_t count, T* row) {
    using Op = PoolOp<Arch, T, kind>;
    using B = typename Op::B;
    constexpr auto kLanes = static_cast<int64_t>(B::size);
    const int64_t from = x < 0 ? (-x < count ? -x : count) : 0;
    const int64_t to = x + count > p.axes[2].in ? (p.axes[2].in - x > from ? p.axes[2].in - x : from) : count;
    for (int64_t i = 0; i < count; ++i) row[i] = Op::start();
    for (int64_t kd = rd.first; kd < rd.last; ++kd) {
        for (int64_t kh = rh.first; kh < rh.last; ++kh) {
            const T* src =
                origin + (kd * p.axes[0].dilation * p.axes[1].in + kh * p.axes[1].dilation) * p.axes[2].in + x;
            int64_t i = from;
            for (; i + kLanes <= to; i += kLanes) {
                Op::fold(B::load_unaligned(row + i), B::load_unaligned(src + i)).store_unaligned(row + i);
            }
            for (; i < to; ++i) row[i] = Op::fold(row[i], src[i]);
        }
    }
}

template <class Arch, class T, PoolKind kind>
bool pool_plain(const void* params, void* const* operands, size_t begin, size_t end) {
    using Op = PoolOp<Arch, T, kind>;
    using B = typename Op::B;
    constexpr auto kLanes = static_cast<int64_t>(B::size);
    const auto& p = *static_cast<const PoolParams*>(params);
    const PoolParamsAxis &d = p.axes[0], &h = p.axes[1], &w = p.axes[2];
    const int64_t extent = (w.kernel - 1) * w.dilation + 1;
    const int64_t chunk = w.stride < kPoolRow ? (kPoolRow - extent) / w.stride + 1 : 1;  // outputs at a time
    T row[kPoolRow];
    for (size_t unit = begin; unit < end; ++unit) {
        const auto u = static_cast<int64_t>(unit);
        const int64_t oh = u % h.out, od = u / h.out % d.out, plane = u / h.out / d.out;
        const PoolRange<Arch> rd(d, od, p.count_padding), rh(h, oh, p.count_padding);
        const int64_t at = ((plane * d.in + od * d.stride - d.pad_begin) * h.in + oh * h.stride - h.pad_begin) * w.in;
        const T* origin = static_cast<const T*>(operands[0]) + at;
        auto* dst = static_cast<T*>(operands[1]) + u * w.out;
        for (int64_t o = 0; o < w.out; o += chunk) {
            const int64_t outputs = w.out - o < chunk ? w.out - o : chunk;
            pool_column<Arch, T, kind>(p, rd, rh, origin, o * w.stride - w.pad_begin,
                                       (outputs - 1) * w.stride + extent, row);
            int64_t i = 0;
            if (w.stride == 1) {
                for (; i + kLanes <= outputs; i += kLanes) {
                    B acc(Op::start());
                    for (int64_t k = 0; k < w.kernel; ++k) {
                        acc = Op::fold(acc, B::load_unaligned(row + i + k * w.dilation));
                    }
                    acc.store_unaligned(dst + o + i);
                }
            }
            for (; i < outputs; ++i) {
                T acc = Op::start();
                for (int64_t k = 0; k < w.kernel; ++k) acc = Op::fold(acc, row[i * w.stride + k * w.dilation]);
                dst[o + i] = acc;
            }
        }
        if constexpr (kind == PoolKind::kAverage) {
            const double rows = static_cast<double>(rd.counted) * static_cast<double>(rh.counted);
            for (int64_t o = 0; o < w.out; ++o) {
                dst[o] *=
                    pool_scale<Arch>(rows * static_cast<double>(PoolRange<Arch>(w, o, p.count_padding).counted));
            }
        }
    }
    return true;
}

// Sums of many positions are made of sums of at most this many, to keep rounding errors small.
template <class Arch>
struct GlobalPoolChunk {
    static constexpr size_t positions = 256;
};

template <class Arch, PoolKind kind>
bool global_pool_channels_last(const void* params, void* const* operands, size_t begin, size_t end) {
    using Op = PoolOp<Arch, float, kind>;
    using B = typename Op::B;
    const auto& p = *static_cast<const GlobalPoolParams*>(params);
    const size_t blocks = (p.channels + kGlobalPoolBlock - 1) / kGlobalPoolBlock;
    const float scale = 1.0f / static_cast<float>(p.positions);
    for (size_t unit = begin; unit < end; ++unit) {
        const size_t n = unit / blocks, c0 = unit % blocks * kGlobalPoolBlock;
        const size_t count = p.channels - c0 < kGlobalPoolBlock ? p.channels - c0 : kGlobalPoolBlock;
        const float* src = static_cast<const float*>(operands[0]) + n * p.positions * p.channels + c0;
        alignas(64) float total[kGlobalPoolBlock], part[kGlobalPoolBlock];
        for (float& x : total) x = Op::start();
        for (size_t i = 0; i < p.positions; i += GlobalPoolChunk<Arch>::positions) {
            const size_t left = p.positions - i;
            const size_t rows = left < GlobalPoolChunk<Arch>::positions ? left : GlobalPoolChunk<Arch>::positions;
            size_t c = 0;
            for (; c + B::size <= count; c += B::size) {
                B acc(Op::start());
                for (size_t k = 0; k < rows; ++k) {
                    acc = Op::fold(acc, B::load_unaligned(src + (i + k) * p.channels + c));
                }
                acc.store_unaligned(part + c);
            }
            for (; c < count; ++c) {
                part[c] = Op::start();
                for (size_t k = 0; k < rows; ++k) part[c] = Op::fold(part[c], src[(i + k) * p.channels + c]);
            }
            for (size_t k = 0; k < count; ++k) total[k] = Op::fold(total[k], part[k]);
        }
        float* dst = static_cast<float*>(operands[1]) + n * p.channels + c0;
        for (size_t k = 0; k < count; ++k) dst[k] = kind == PoolKind::kAverage ? total[k] * scale : total[k];
    }
    return true;
}

template <class Arch, PoolKind kind>
bool global_pool_plain(const void* params, void* const* operands, size_t begin, size_t end) {
    using Op = PoolOp<Arch, float, kind>;
    using B = typename Op::B;
    const auto& p = *static_cast<const GlobalPoolParams*>(params);
    const float scale = 1.0f / static_cast<float>(p.positions);
    constexpr size_t kPart = GlobalPoolChunk<Arch>::positions * B::size;
    for (size_t unit = begin; unit < end; ++unit) {
        const float* src = static_cast<const float*>(operands[0]) + unit * p.positions;
        float total = Op::start();
        for (size_t i = 0; i < p.positions; i += kPart) {
            const size_t last = p.positions - i < kPart ? p.positions : i + kPart;
            B acc(Op::start());
            size_t k = i;
            for (; k + B::size <= last; k += B::size) acc = Op::fold(acc, B::load_unaligned(src + k));
            float lanes[B::size];
            acc.store_unaligned(lanes);
            float part = Op::start();
            for (float lane : lanes) part = Op::fold(part, lane);
            for (; k < last; ++k) part = Op::fold(part, src[k]);
            total = Op::fold(total, part);
        }
        static_cast<float*>(operands[1])[unit] = kind == PoolKind::kAverage ? total * scale : total;
    }
    return true;
}

}  // namespace coffer::kernels
