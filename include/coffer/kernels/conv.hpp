// fp32 convolution as an implicit matrix product: rows of A are pointers into the image, one per output pixel
// and tap; nothing is copied but the few pixels whose kernel row crosses the border. Only arch.cpp includes
// this file. Parameters: conv_params.hpp.
#pragma once

#include "coffer/kernels/conv_params.hpp"
#include "coffer/kernels/gemm.hpp"

namespace coffer::kernels {

// Where the window of an output pixel starts in the input; may lie in the padding.
struct PixelOrigin {
    ptrdiff_t d, h, w;
    const float* image;
};

template <class Arch>
struct ConvBlock {
    static inline constexpr float kZeros[kBlockDepth] = {};

    static constexpr size_t kCopySlack = 64;  // whole vectors are copied, over the end of a row of floats

    const ConvParams& p;
    PixelOrigin origin[kMaxBlockRows];
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
        for (size_t i = 0; i < count; ++i) {
            origin[i] = {od * d.stride - d.pad, oh * h.stride - h.pad, ow * w.stride - w.pad,
                         input + n * image_floats};
            if (++ow < w.out) continue;
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
        const ConvAxis& w = p.axes[2];
        const ptrdiff_t last = w.in - w.kernel;
        uint64_t bits = 0;
        for (size_t i = 0; i < count; i += kTile) {
            bool inner = true;
            for (size_t r = i; r < i + kTile && r < count; ++r) inner &= origin[r].w >= 0 && origin[r].w <= last;
            bits |= static_cast<uint64_t>(inner) << (i / kTile);
        }
        return bits;
    }

 private:
    // Row i becomes the floats of all taps, one after another.
    void gather(size_t tap0, size_t taps) {
        using V = Batch<Arch, float>;
        const ConvAxis &ad = p.axes[0], &ah = p.axes[1], &aw = p.axes[2];
        const auto channels = static_cast<ptrdiff_t>(p.channels), floats = static_cast<ptrdiff_t>(p.tap_floats);
        const ptrdiff_t row_floats = aw.in * channels;
        const auto whole = static_cast<ptrdiff_t>((p.tap_floats + V::size - 1) / V::size * V::size);
        ptrdiff_t tap_h[kSliceTaps], tap_d[kSliceTaps];
        for (size_t t = 0; t < taps; ++t) {
            const auto index = static_cast<ptrdiff_t>(tap0 + t);
            tap_h[t] = index % ah.kernel * ah.dilation;
            tap_d[t] = index / ah.kernel * ad.dilation;
        }
        for (size_t i = 0; i < count; ++i) {
            const PixelOrigin& o = origin[i];
            float* dst = border + i * taps * p.tap_floats;
            rows[i] = dst;
            const ptrdiff_t at = o.w * channels;
            const bool whole_inside = at >= 0 && at + whole <= row_floats;
            for (size_t t = 0; t < taps; ++t, dst += floats) {
                const ptrdiff_t h = o.h + tap_h[t], d = o.d + tap_d[t];
                const bool inside = inside_axis(d, ad) && inside_axis(h, ah);
                const float* row = inside ? o.image + (d * ah.in + h) * row_floats : nullptr;
                if (inside && whole_inside) {  // what is too much is overwritten by the next tap
                    for (ptrdiff_t k = 0; k < whole; k += static_cast<ptrdiff_t>(V::size)) {
                        V::load_unaligned(row + at + k).store_unaligned(dst + k);
                    }
                    continue;
                }
                copy_clipped(dst, inside ? row : kZeros, inside ? at : row_floats, floats, row_floats);
            }
        }
    }

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
        const float** out = rows + slot * kMaxBlockRows;
        for (size_t i = 0; i < count; ++i) {
            const PixelOrigin& o = origin[i];
            const ptrdiff_t d = o.d + kd, h = o.h + kh, w = o.w + kw;
            const bool inside = inside_axis(d, ad) & inside_axis(h, ah) & inside_axis(w, aw);
            const ptrdiff_t at = ((d * ah.in + h) * aw.in + w) * channels + static_cast<ptrdiff_t>(first);
            out[i] = inside ? o.image + at : kZeros;
        }
    }

    void point_joined(size_t tap, size_t slot, ptrdiff_t first, ptrdiff_t floats) {
        const ConvAxis &ad = p.axes[0], &ah = p.axes[1], &aw = p.axes[2];
        const auto index = static_cast<ptrdiff_t>(tap);
        const ptrdiff_t kh = index % ah.kernel * ah.dilation, kd = index / ah.kernel * ad.dilation;
        const auto channels = static_cast<ptrdiff_t>(p.channels);
        const ptrdiff_t row_floats = aw.in * channels;
        for (size_t i = 0; i < count; ++i) {
            const PixelOrigin& o = origin[i];
            const ptrdiff_t d = o.d + kd, h = o.h + kh;
            const float** out = rows + slot * kMaxBlockRows + i;
            *out = kZeros;
            if (!inside_axis(d, ad) || !inside_axis(h, ah)) continue;
            const float* row = o.image + (d * ah.in + h) * row_floats;
            const ptrdiff_t at = o.w * channels + first;
            if (at >= 0 && at + floats <= row_floats) {
                *out = row + at;
                continue;
            }
            float* copy = border + (slot * kMaxBlockRows + i) * floats;
            copy_clipped(copy, row, at, floats, row_floats);
            *out = copy;
        }
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
