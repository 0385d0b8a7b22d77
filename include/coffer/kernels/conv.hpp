// fp32 convolution as an implicit matrix product: rows of A are pointers into the image, one per output pixel
// and tap; nothing is copied but the few pixels whose kernel row crosses the border. Only arch.cpp includes
// this file. Parameters: conv_params.hpp.
#pragma once

#include "coffer/kernels/conv_params.hpp"
#include "coffer/kernels/gemm.hpp"

namespace coffer::kernels {

// Output pixels side by side in a row: where the window of the first starts in the input, maybe in the padding.
struct PixelRun {
    size_t first, count;  // in the block
    ptrdiff_t d, h, w;
    ptrdiff_t inner_begin, inner_end;  // of the run: windows that do not cross the border sideways
    const float* image;
};

template <class Arch>
struct ConvBlock {
    static inline constexpr float kZeros[kBlockDepth] = {};

    static constexpr size_t kCopySlack = 64;  // whole vectors are copied, over the end of a row of floats

    const ConvParams& p;
    PixelRun runs[kMaxBlockRows];
    size_t run_count = 0;
    const float* rows[kSliceTaps * kMaxBlockRows];
    alignas(64) float border[kMaxBlockRows * kJoinedFloats + kCopySlack];
    size_t count = 0;

    ConvBlock(const ConvParams& params, const float* input, size_t pixel0) : p(params) {
        const ConvAxis &d = p.axes[0], &h = p.axes[1], &w = p.axes[2];
        const size_t left = p.pixels() - pixel0;
        count = left < p.rows ? left : p.rows;
        auto rest = static_cast<ptrdiff_t>(pixel0);
        ptrdiff_t ow = rest % w.out, oh = (rest /= w.out) % h.out, od = (rest /= h.out) % d.out, n = rest / d.out;
        const ptrdiff_t image_floats = d.in * h.in * w.in * static_cast<ptrdiff_t>(p.channels);
        const ptrdiff_t window = (w.kernel - 1) * w.dilation + 1;
        for (size_t i = 0; i < count;) {
            const auto row_left = static_cast<size_t>(w.out - ow);
            const size_t size = count - i < row_left ? count - i : row_left;
            const ptrdiff_t start = ow * w.stride - w.pad;
            runs[run_count++] = {i,
                                 size,
                                 od * d.stride - d.pad,
                                 oh * h.stride - h.pad,
                                 start,
                                 steps(-start, w.stride, size),
                                 steps(w.in - window + 1 - start, w.stride, size),
                                 input + n * image_floats};
            i += size;
            ow = 0;
            if (++oh < h.out) continue;
            oh = 0;
            if (++od < d.out) continue;
            od = 0;
            ++n;
        }
    }

    // Row pointers for taps [tap0, tap0 + taps), each at `first` of its contiguous floats, `floats` long.
    void point(size_t tap0, size_t taps, size_t first, size_t floats) {
        if (p.gathered) return gather(tap0, taps);
        for (size_t t = 0; t < taps; ++t) {
            if (p.joined) {
                point_joined(tap0 + t, t, static_cast<ptrdiff_t>(first), static_cast<ptrdiff_t>(floats));
            } else {
                point_single(tap0 + t, t, first);
            }
        }
    }

    // Bits of the tiles none of whose windows crosses the border sideways.
    uint64_t inner_tiles() const {
        constexpr size_t kTile = tile_of(Arch::id).rows;
        uint64_t bits = ~uint64_t{0};
        const auto crossing = [&](size_t begin, size_t end) {
            for (size_t i = begin; i < end; i = (i / kTile + 1) * kTile) bits &= ~(uint64_t{1} << (i / kTile));
        };
        for (size_t r = 0; r < run_count; ++r) {
            const PixelRun& run = runs[r];
            crossing(run.first, run.first + static_cast<size_t>(run.inner_begin));
            crossing(run.first + static_cast<size_t>(run.inner_end), run.first + run.count);
        }
        return bits;
    }

 private:
    // How many steps of `stride`, at most `limit`, before `distance` is reached.
    static ptrdiff_t steps(ptrdiff_t distance, ptrdiff_t stride, size_t limit) {
        if (distance <= 0) return 0;
        const ptrdiff_t n = stride == 1 ? distance : (distance + stride - 1) / stride;
        return n < static_cast<ptrdiff_t>(limit) ? n : static_cast<ptrdiff_t>(limit);
    }

    // Row i becomes the floats of all taps, one after another.
    void gather(size_t tap0, size_t taps) {
        const ConvAxis &ad = p.axes[0], &ah = p.axes[1], &aw = p.axes[2];
        const auto channels = static_cast<ptrdiff_t>(p.channels), floats = static_cast<ptrdiff_t>(p.tap_floats);
        const ptrdiff_t row_floats = aw.in * channels, step = aw.stride * channels;
        const RunCopy copy(floats);
        for (size_t r = 0; r < run_count; ++r) {
            const PixelRun run = runs[r];
            const float* tap_row[kSliceTaps];  // nullptr: in the padding
            for (size_t t = 0; t < taps; ++t) {
                const auto index = static_cast<ptrdiff_t>(tap0 + t);
                const ptrdiff_t h = run.h + index % ah.kernel * ah.dilation,
                                d = run.d + index / ah.kernel * ad.dilation;
                const bool inside = inside_axis(d, ad) && inside_axis(h, ah);
                tap_row[t] = inside ? run.image + (d * ah.in + h) * row_floats : nullptr;
            }
            float* dst = border + run.first * taps * p.tap_floats;
            ptrdiff_t at = run.w * channels;
            // What a copy reads and writes too much: of the row, and over the next tap, which is written later.
            const ptrdiff_t end = steps(row_floats - copy.reads() + 1 - at, step, run.count);
            const ptrdiff_t inner_end = end < run.inner_end ? end : run.inner_end;
            for (ptrdiff_t i = 0; i < static_cast<ptrdiff_t>(run.count); ++i, at += step) {
                rows[run.first + static_cast<size_t>(i)] = dst;
                const bool inner = i >= run.inner_begin && i < inner_end;
                for (size_t t = 0; t < taps; ++t, dst += floats) {
                    const float* const row = tap_row[t];
                    if (inner) {
                        copy(dst, row ? row + at : kZeros);
                    } else {
                        copy_clipped(dst, row ? row : kZeros, row ? at : row_floats, floats, row_floats);
                    }
                }
            }
        }
    }

    // Copies a few floats, in whole vectors on the side of dst.
    struct RunCopy {
        using V = Batch<Arch, float>;
        explicit RunCopy(ptrdiff_t n) : floats(n), whole((n + kLanes - 1) / kLanes * kLanes) {
#if defined(__AVX512F__)
            if constexpr (Arch::avx512) last = first_lanes(static_cast<size_t>(n - (whole - kLanes)));
#endif
        }
        // Floats of src that are touched.
        ptrdiff_t reads() const {
            return kMasked ? floats : whole;
        }
        void operator()(float* dst, const float* src) const {
            ptrdiff_t k = 0;
            for (; k + kLanes < whole; k += kLanes) V::load_unaligned(src + k).store_unaligned(dst + k);
#if defined(__AVX512F__)
            if constexpr (Arch::avx512) return _mm512_storeu_ps(dst + k, _mm512_maskz_loadu_ps(last, src + k));
#endif
            V::load_unaligned(src + k).store_unaligned(dst + k);
        }

        static constexpr auto kLanes = static_cast<ptrdiff_t>(V::size);
        static constexpr bool kMasked = Arch::avx512;
        ptrdiff_t floats, whole;
#if defined(__AVX512F__)
        __mmask16 last = 0;
#endif
    };

    // dst[k] = row[at + k], 0 where that is outside the row.
    static void copy_clipped(float* dst, const float* row, ptrdiff_t at, ptrdiff_t floats, ptrdiff_t row_floats) {
        const ptrdiff_t begin = at >= 0 ? 0 : -at < floats ? -at : floats;
        const ptrdiff_t left = row_floats - at, end = left >= floats ? floats : left > begin ? left : begin;
#if defined(__AVX512F__)
        if constexpr (Arch::avx512) {
            for (ptrdiff_t k = 0; k < floats; k += 16) {
                const auto below = [&](ptrdiff_t n) { return n <= k ? 0 : first_lanes(static_cast<size_t>(n - k)); };
                const auto lanes = static_cast<__mmask16>(below(end) & ~below(begin));
                const __m512 values = _mm512_maskz_loadu_ps(lanes, row + at + k);
                _mm512_mask_storeu_ps(dst + k, static_cast<__mmask16>(below(floats)), values);
            }
            return;
        }
#endif
        for (ptrdiff_t k = 0; k < begin; ++k) dst[k] = 0.0f;
        for (ptrdiff_t k = begin; k < end; ++k) dst[k] = row[at + k];
        for (ptrdiff_t k = end; k < floats; ++k) dst[k] = 0.0f;
    }

    void point_single(size_t tap, size_t slot, size_t first) {
        const ConvAxis &ad = p.axes[0], &ah = p.axes[1], &aw = p.axes[2];
        const auto index = static_cast<ptrdiff_t>(tap);
        const ptrdiff_t kw = index % aw.kernel * aw.dilation, kh = index / aw.kernel % ah.kernel * ah.dilation,
                        kd = index / aw.kernel / ah.kernel * ad.dilation;
        const auto channels = static_cast<ptrdiff_t>(p.channels);
        for (size_t r = 0; r < run_count; ++r) {
            const PixelRun& run = runs[r];
            const ptrdiff_t d = run.d + kd, h = run.h + kh, w = run.w + kw;
            const bool inside = inside_axis(d, ad) && inside_axis(h, ah);
            const ptrdiff_t begin = steps(-w, aw.stride, run.count), end = steps(aw.in - w, aw.stride, run.count);
            const ptrdiff_t at = ((d * ah.in + h) * aw.in + w) * channels + static_cast<ptrdiff_t>(first);
            fill(run, slot, inside ? begin : end, end, at, aw.stride * channels);
        }
    }

    void point_joined(size_t tap, size_t slot, ptrdiff_t first, ptrdiff_t floats) {
        const ConvAxis &ad = p.axes[0], &ah = p.axes[1], &aw = p.axes[2];
        const auto index = static_cast<ptrdiff_t>(tap);
        const ptrdiff_t kh = index % ah.kernel * ah.dilation, kd = index / ah.kernel * ad.dilation;
        const auto channels = static_cast<ptrdiff_t>(p.channels);
        const ptrdiff_t row_floats = aw.in * channels, step = aw.stride * channels;
        for (size_t r = 0; r < run_count; ++r) {
            const PixelRun& run = runs[r];
            const ptrdiff_t d = run.d + kd, h = run.h + kh;
            const bool inside = inside_axis(d, ad) && inside_axis(h, ah);
            const ptrdiff_t row_at = (d * ah.in + h) * row_floats, at = run.w * channels + first;
            fill(run, slot, inside ? run.inner_begin : run.inner_end, run.inner_end, row_at + at, step);
            if (!inside) continue;
            const float* row = run.image + row_at;
            const auto clip = [&](ptrdiff_t begin, ptrdiff_t end) {
                for (ptrdiff_t i = begin; i < end; ++i) {
                    const size_t pixel = slot * kMaxBlockRows + run.first + static_cast<size_t>(i);
                    float* copy = border + pixel * static_cast<size_t>(floats);
                    copy_clipped(copy, row, at + i * step, floats, row_floats);
                    rows[pixel] = copy;
                }
            };
            clip(0, run.inner_begin);
            clip(run.inner_end < run.inner_begin ? run.inner_begin : run.inner_end,
                 static_cast<ptrdiff_t>(run.count));
        }
    }

    // Row pointers of a run for one tap: zeros but in [begin, end), where they are `step` apart; the first pixel's
    // would be `at`.
    void fill(const PixelRun& run, size_t slot, ptrdiff_t begin, ptrdiff_t end, ptrdiff_t at, ptrdiff_t step) {
        const float** out = rows + slot * kMaxBlockRows + run.first;
        const auto count_of = static_cast<ptrdiff_t>(run.count);
        ptrdiff_t i = 0;
        for (; i < begin; ++i) out[i] = kZeros;
        for (; i < end; ++i) out[i] = run.image + (at + i * step);
        for (; i < count_of; ++i) out[i] = kZeros;
    }

    static bool inside_axis(ptrdiff_t at, const ConvAxis& a) {
        return static_cast<size_t>(at) < static_cast<size_t>(a.in);
    }
};

// Units: groups * row_blocks * panel_blocks.
template <class Arch>
bool conv_f32(const void* params, void* const* operands, size_t begin, size_t end) {
    const auto& p = *static_cast<const ConvParams*>(params);
    const size_t panel_blocks = p.panel_blocks(), row_blocks = p.row_blocks();
    for (size_t unit = begin; unit < end; ++unit) {
        const size_t panel0 = unit % panel_blocks * kBlockPanels, rest = unit / panel_blocks;
        const size_t pixel0 = rest % row_blocks * p.rows, group = rest / row_blocks;
        const auto* input = static_cast<const float*>(operands[0]) + group * p.group_channels;
        const auto* weights = static_cast<const float*>(operands[1]) + group * p.panels.size();
        const size_t c_offset = pixel0 * p.outputs + group * p.group_outputs;
        auto* output = static_cast<float*>(operands[2]) + c_offset;
        const auto* bias = static_cast<const float*>(operands[3]);
        const auto* residual = static_cast<const float*>(operands[4]);
        const Epilogue<Arch> epilogue(p.epilogue, bias ? bias + group * p.group_outputs : nullptr,
                                      residual ? residual + c_offset : nullptr);
        ConvBlock<Arch> block(p, input, pixel0);
        const uint64_t inner = p.merge > 1 ? block.inner_tiles() : 0;
        const size_t panel_end = panel0 + kBlockPanels < p.panels.count ? panel0 + kBlockPanels : p.panels.count;
        for (size_t tap = 0; tap < p.taps; tap += p.slice_taps) {
            const size_t taps = p.taps - tap < p.slice_taps ? p.taps - tap : p.slice_taps;
            for (size_t first = 0; first < p.tap_floats; first += p.slice_floats) {
                const size_t floats = p.tap_floats - first < p.slice_floats ? p.tap_floats - first : p.slice_floats;
                block.point(tap, taps, first, floats);
                DepthSlice slice{block.rows,
                                 taps,
                                 kMaxBlockRows,
                                 0,
                                 floats,
                                 tap == 0 && first == 0,
                                 tap + taps == p.taps && first + floats == p.tap_floats,
                                 p.merge,
                                 inner};
                if (p.gathered) {
                    slice.taps = 1;
                    slice.channels = taps * floats;
                }
                for (size_t panel = panel0; panel < panel_end; ++panel) {
                    const size_t column = panel * p.panels.width, width = p.panels.width_of(panel);
                    const size_t left = p.panels.n - column;
                    const float* b = weights + p.panels.offset_of(panel) + (tap * p.tap_floats + first) * width;
                    PanelJob<Arch> job{b,         width,    column, left < width ? left : width, output + column,
                                       p.outputs, &epilogue};
                    if (panel + 1 < panel_end) {
                        const size_t next_width = p.panels.width_of(panel + 1);
                        job.next =
                            weights + p.panels.offset_of(panel + 1) + (tap * p.tap_floats + first) * next_width;
                        job.next_floats = taps * floats * next_width;
                    }
                    panel_rows<Arch>(slice, job, block.count, width);
                }
            }
        }
    }
    return true;
}

}  // namespace coffer::kernels
