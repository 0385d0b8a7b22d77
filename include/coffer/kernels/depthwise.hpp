// fp32 depthwise convolution, one input channel an output channel: vectors of channels, several output columns
// in registers so that a weight is loaded once for all of them. Also the gathering half of transposed
// convolutions. Only arch.cpp includes this file.
#pragma once

#include "coffer/kernels/conv_params.hpp"
#include "coffer/kernels/epilogue.hpp"

namespace coffer::kernels {

// Valid kernel positions [begin, end) along one axis for a window that starts at `origin`.
struct TapRange {
    ptrdiff_t begin, end;
    TapRange(const ConvAxis& a, ptrdiff_t origin) {
        begin = origin >= 0 ? 0 : (-origin + a.dilation - 1) / a.dilation;
        end = a.in <= origin ? 0 : (a.in - origin + a.dilation - 1) / a.dilation;
        if (end > a.kernel) end = a.kernel;
        if (begin > end) begin = end;
    }
};

template <class Arch>
struct DepthwiseRow {
    using V = Batch<Arch, float>;
    static constexpr size_t W = V::size;

    const ConvParams& p;
    const Epilogue<Arch>& epilogue;
    const float* image;
    const float* weights;  // [channel vector][tap][lane]
    float* dst;            // output row
    ptrdiff_t d0, h0;      // where the windows of this row start
    TapRange d, h;

    DepthwiseRow(const ConvParams& params, const Epilogue<Arch>& e, const float* in, const float* w, float* out,
                 ptrdiff_t od, ptrdiff_t oh)
        : p(params),
          epilogue(e),
          image(in),
          weights(w),
          dst(out),
          d0(od * p.axes[0].stride - p.axes[0].pad),
          h0(oh * p.axes[1].stride - p.axes[1].pad),
          d(p.axes[0], d0),
          h(p.axes[1], h0) {}

    // Output columns [column, column + kColumns) of kVectors vectors of channels; `kw` holds for all columns.
    // kRagged: the last, partial vector of channels.
    template <int kColumns, int kVectors, bool kRagged = false>
    void tile(ptrdiff_t column, size_t vector, TapRange kw) const {
        const ConvAxis &ad = p.axes[0], &ah = p.axes[1], &aw = p.axes[2];
        const auto channels = static_cast<ptrdiff_t>(p.channels);
        const size_t taps = p.panels.depth, channel = vector * W;
        const size_t count = kRagged ? p.channels - channel : kVectors * W;
        const ptrdiff_t w0 = column * aw.stride - aw.pad, step = aw.stride * channels;
        V sum[kColumns][kVectors];
        COFFER_UNROLL for (int c = 0; c < kColumns; ++c) {
            COFFER_UNROLL for (int v = 0; v < kVectors; ++v) sum[c][v] = V(0.0f);
        }
        for (ptrdiff_t kd = d.begin; kd < d.end; ++kd) {
            for (ptrdiff_t kh = h.begin; kh < h.end; ++kh) {
                const ptrdiff_t row = (d0 + kd * ad.dilation) * ah.in + h0 + kh * ah.dilation;
                const float* x = image + (row * aw.in + w0 + kw.begin * aw.dilation) * channels + channel;
                const float* w = weights + (vector * taps + (kd * ah.kernel + kh) * aw.kernel + kw.begin) * W;
                for (ptrdiff_t k = kw.begin; k < kw.end; ++k, x += aw.dilation * channels, w += W) {
                    COFFER_UNROLL for (int v = 0; v < kVectors; ++v) {
                        const V weight = V::load_unaligned(w + v * taps * W);
                        COFFER_UNROLL for (int c = 0; c < kColumns; ++c) {
                            const float* at = x + c * step + v * W;
                            const V value = kRagged ? load_partial<Arch>(at, count) : V::load_unaligned(at);
                            sum[c][v] = fma(value, weight, sum[c][v]);
                        }
                    }
                }
            }
        }
        epilogue.store(sum,
                       {dst + column * channels + channel, p.channels, static_cast<size_t>(column), channel, count});
    }

    template <int kColumns>
    void channels_of(ptrdiff_t column, size_t vectors, TapRange kw) const {
        for (size_t v = 0; v < vectors; ++v) tile<kColumns, 1>(column, v, kw);
        if (vectors * W < p.channels) tile<kColumns, 1, true>(column, vectors, kw);
    }

    void run() const {
        const ConvAxis& a = p.axes[2];
        const size_t vectors = p.channels / W;
        // Columns whose whole window lies inside the row.
        ptrdiff_t inner = (a.pad + a.stride - 1) / a.stride, inner_end = 0;
        const ptrdiff_t room = a.in - (a.kernel - 1) * a.dilation - 1 + a.pad;
        if (room >= 0) inner_end = room / a.stride + 1;
        if (inner > a.out) inner = a.out;
        if (inner_end > a.out) inner_end = a.out;
        if (inner_end < inner) inner_end = inner;
        for (ptrdiff_t column = 0; column < a.out; ++column) {
            if (column == inner) column = inner_end;
            if (column >= a.out) break;
            const TapRange kw(a, column * a.stride - a.pad);
            size_t v = 0;
            for (; v + 4 <= vectors; v += 4) tile<1, 4>(column, v, kw);
            for (; v < vectors; ++v) tile<1, 1>(column, v, kw);
            if (vectors * W < p.channels) tile<1, 1, true>(column, vectors, kw);
        }
        if (inner < inner_end) {
            const TapRange kw(a, inner * a.stride - a.pad);  // all of them
            // All channels of a few columns at a time: their input stays in the first-level cache.
            ptrdiff_t column = inner;
            for (; column + 8 <= inner_end; column += 8) channels_of<8>(column, vectors, kw);
            if (column + 4 <= inner_end) channels_of<4>(column, vectors, kw), column += 4;
            if (column + 2 <= inner_end) channels_of<2>(column, vectors, kw), column += 2;
            if (column < inner_end) channels_of<1>(column, vectors, kw);
        }
        epilogue.activate(dst, p.channels, static_cast<size_t>(a.out), p.channels);
    }
};

// Units: output rows (n, d, h).
template <class Arch>
bool depthwise_f32(const void* params, void* const* operands, size_t begin, size_t end) {
    const auto& p = *static_cast<const ConvParams*>(params);
    const auto *input = static_cast<const float*>(operands[0]), *weights = static_cast<const float*>(operands[1]);
    const auto *bias = static_cast<const float*>(operands[3]), *residual = static_cast<const float*>(operands[4]);
    const ConvAxis &d = p.axes[0], &h = p.axes[1], &w = p.axes[2];
    const size_t image_floats = static_cast<size_t>(d.in * h.in * w.in) * p.channels;
    const size_t row_floats = static_cast<size_t>(w.out) * p.channels;
    for (size_t unit = begin; unit < end; ++unit) {
        const auto row = static_cast<ptrdiff_t>(unit);
        const ptrdiff_t oh = row % h.out, od = row / h.out % d.out;
        const size_t n = unit / static_cast<size_t>(h.out * d.out);
        const Epilogue<Arch> epilogue(p.epilogue, bias, residual ? residual + unit * row_floats : nullptr);
        DepthwiseRow<Arch>(p, epilogue, input + n * image_floats, weights,
                           static_cast<float*>(operands[2]) + unit * row_floats, od, oh)
            .run();
    }
    return true;
}

// Transposed convolution gathers its products: output positions `first`, `first + stride`, ... below `end` of one
// axis are reached through kernel position `tap`, the first of them from input `source`.
struct TransposedRange {
    ptrdiff_t first, end, source;
    [[gnu::always_inline]] TransposedRange(const ConvAxis& a, ptrdiff_t tap) {
        const ptrdiff_t shift = tap * a.dilation - a.pad;  // output = source * stride + shift
        source = shift >= 0 ? 0 : (-shift + a.stride - 1) / a.stride;
        first = source * a.stride + shift;
        const ptrdiff_t beyond = (a.in - 1) * a.stride + shift + 1;
        end = beyond < a.out ? beyond : a.out;
    }
    // The input that reaches `out`, or -1.
    [[gnu::always_inline]] ptrdiff_t source_of(ptrdiff_t out, ptrdiff_t stride) const {
        return out < first || out >= end || (out - first) % stride != 0 ? -1 : source + (out - first) / stride;
    }
};

// dst[i * dst_step + c] += src[i * src_step + c * src_stride] for `count` pixels of `outputs` channels.
template <class Arch>
void add_pixels(float* dst, size_t dst_step, const float* src, size_t src_step, size_t src_stride, size_t count,
                size_t outputs) {
    using V = Batch<Arch, float>;
    if (src_stride == 1) {
        for (size_t i = 0; i < count; ++i, dst += dst_step, src += src_step) {
            for (size_t c = 0; c < outputs; c += V::size) {
                const V sum = load_partial<Arch>(dst + c, outputs - c) + load_partial<Arch>(src + c, outputs - c);
                store_partial<Arch>(dst + c, sum, outputs - c);
            }
        }
        return;
    }
    for (size_t c = 0; c < outputs; ++c) {  // few of them: see ConvTranspose::plan
        for (size_t i = 0; i < count; ++i) dst[i * dst_step + c] += src[i * src_step + c * src_stride];
    }
}

template <class Arch>
bool conv_gather_f32(const void* params, void* const* operands, size_t begin, size_t end) {
    const auto& p = *static_cast<const ConvTransposeParams*>(params);
    const auto *products = static_cast<const float*>(operands[0]), *bias = static_cast<const float*>(operands[2]);
    const ConvAxis &d = p.axes[0], &h = p.axes[1], &w = p.axes[2];
    const auto columns = static_cast<size_t>(w.out);
    for (size_t unit = begin; unit < end; ++unit) {
        const auto row = static_cast<ptrdiff_t>(unit);
        const ptrdiff_t oh = row % h.out, od = row / h.out % d.out, n = row / h.out / d.out;
        float* dst = static_cast<float*>(operands[1]) + unit * columns * p.outputs;
        for (size_t i = 0; i < columns; ++i) {
            for (size_t c = 0; c < p.outputs; ++c) dst[i * p.outputs + c] = bias ? bias[c] : 0.0f;
        }
        for (ptrdiff_t kd = 0; kd < d.kernel; ++kd) {
            const ptrdiff_t id = TransposedRange(d, kd).source_of(od, d.stride);
            for (ptrdiff_t kh = 0; id >= 0 && kh < h.kernel; ++kh) {
                const ptrdiff_t ih = TransposedRange(h, kh).source_of(oh, h.stride);
                for (ptrdiff_t kw = 0; ih >= 0 && kw < w.kernel; ++kw) {
                    const TransposedRange range(w, kw);
                    if (range.first >= range.end) continue;
                    const auto count = static_cast<size_t>((range.end - range.first + w.stride - 1) / w.stride);
                    const auto tap = static_cast<size_t>((kd * h.kernel + kh) * w.kernel + kw);
                    const auto pixel = static_cast<size_t>(((n * d.in + id) * h.in + ih) * w.in + range.source);
                    add_pixels<Arch>(dst + static_cast<size_t>(range.first) * p.outputs,
                                     static_cast<size_t>(w.stride) * p.outputs,
                                     products + pixel * p.pixel_stride + tap * p.tap_stride, p.pixel_stride,
                                     p.output_stride, count, p.outputs);
                }
            }
        }
    }
    return true;
}

}  // namespace coffer::kernels
