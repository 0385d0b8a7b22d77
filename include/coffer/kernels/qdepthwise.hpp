// Depthwise integer convolution over channels-last images, channel multiplier 1: every channel has its own
// window, so the vectors run over channels, and two kernel positions are multiplied at a time.
// Only arch.cpp includes this file.
#pragma once

#include "coffer/kernels/qgemm.hpp"

namespace coffer::kernels {

// The input pixels under the kernel as it slides along one output row: a pointer for each position, and how far it
// moves from one output pixel to the next. Positions outside the image stay on a pixel of padding.
template <class Arch>
struct QWindow {
    const uint8_t* taps[kQDepthwiseTaps + 1];
    size_t steps[kQDepthwiseTaps + 1];

    void place(const QConvParams& c, const uint8_t* image, const uint8_t* padding, size_t z, size_t y, size_t x) {
        size_t t = 0;
        for (size_t kz = 0; kz < c.kernel[0]; ++kz) {
            const size_t iz = z * c.stride[0] + kz * c.dilation[0] - size_t(c.pad[0]);  // huge when negative
            for (size_t ky = 0; ky < c.kernel[1]; ++ky) {
                const size_t iy = y * c.stride[1] + ky * c.dilation[1] - size_t(c.pad[1]);
                const bool inside = iz < c.in[0] && iy < c.in[1];
                const uint8_t* line = inside ? image + (iz * c.in[1] + iy) * c.in[2] * c.channels : nullptr;
                for (size_t kx = 0; kx < c.kernel[2]; ++kx, ++t) {
                    const size_t ix = x * c.stride[2] + kx * c.dilation[2] - size_t(c.pad[2]);
                    taps[t] = inside && ix < c.in[2] ? line + ix * c.channels : padding;
                    steps[t] = taps[t] == padding ? 0 : c.stride[2] * c.channels;
                }
            }
        }
        taps[t] = padding;  // partner of the last tap of an odd number; its weight is 0
        steps[t] = 0;
    }
    // To the right, when no tap enters or leaves the image.
    void advance(const QConvParams& c, size_t pixels) {
        for (size_t t = 0; t < c.taps; ++t) taps[t] += steps[t] * pixels;
    }
};

// Sums of P neighbouring pixels, 16 channels from `channel`: the weights are loaded once for all of them. kFew: there
// are fewer than 16, and no more are read.
template <class Arch, bool kSigned, bool kFew, int P>
inline void qdepthwise_sums(const QConvParams& c, const QWindow<Arch>& window, const int16_t* weights, size_t channel,
                            int32_t* sums) {
    using L = QLanes<Arch>;
    using I = typename L::I;
    I v[P][L::kCount];
    for (int j = 0; j < P; ++j) {
        for (size_t i = 0; i < L::kCount; ++i) v[j][i] = I(0);
    }
    const int16_t* w = weights + channel * 2;
    for (size_t t = 0; t < c.taps; t += 2, w += c.gemm.columns * 2) {
        const uint8_t *a = window.taps[t] + channel, *b = window.taps[t + 1] + channel;
        const size_t a_step = window.steps[t], b_step = window.steps[t + 1];
        for (int j = 0; j < P; ++j) {
            const uint8_t *aj = a + size_t(j) * a_step, *bj = b + size_t(j) * b_step;
            if constexpr (kFew) {
                alignas(16) uint8_t few_a[kQPanel], few_b[kQPanel];
                QBytes<Arch>::load_few(few_a, aj, c.channels);
                QBytes<Arch>::load_few(few_b, bj, c.channels);
                QPairs<Arch, kSigned>::add(v[j], few_a, few_b, w);
            } else {
                QPairs<Arch, kSigned>::add(v[j], aj, bj, w);
            }
        }
    }
    for (int j = 0; j < P; ++j) {
        for (size_t i = 0; i < L::kCount; ++i) v[j][i].store_aligned(sums + size_t(j) * kQPanel + i * I::size);
    }
}

// P pixels from `x` on, all channels. The last 16 channels may overlap those before.
template <class Arch, bool kSigned, int P>
inline void qdepthwise_pixels(const QConvParams& c, const QWindow<Arch>& window, const int16_t* weights,
                              const QEmit<Arch>& emit, size_t x) {
    alignas(64) int32_t sums[P * kQPanel];
    if (c.channels < kQPanel) {
        qdepthwise_sums<Arch, kSigned, true, P>(c, window, weights, 0, sums);
        return emit(x, P, 0, sums, kQPanel);
    }
    for (size_t channel = 0; channel < c.channels; channel += kQPanel) {
        const size_t first = channel + kQPanel <= c.channels ? channel : c.channels - kQPanel;
        qdepthwise_sums<Arch, kSigned, false, P>(c, window, weights, first, sums);
        emit(x, P, first, sums, kQPanel);
    }
}

template <class Arch, bool kSigned>
void qdepthwise_row(const QConvParams& c, const uint8_t* image, const uint8_t* padding, size_t z, size_t y,
                    const int16_t* weights, const QEmit<Arch>& emit) {
    constexpr size_t kPixels = QLanes<Arch>::kCount <= 2 ? 4 : 2;  // what the registers hold
    // Output columns whose window lies inside the image from left to right: [inner, outer).
    const size_t span = (c.kernel[2] - 1) * c.dilation[2];
    const size_t pad = size_t(c.pad[2] > 0 ? c.pad[2] : 0);
    const size_t inner = (pad + c.stride[2] - 1) / c.stride[2];
    const size_t fit = c.in[2] + pad > span ? (c.in[2] + pad - span - 1) / c.stride[2] + 1 : 0;
    const size_t outer = fit < c.out[2] ? fit : c.out[2];
    QWindow<Arch> window;
    for (size_t x = 0, moved = 0; x < c.out[2]; x += moved) {
        if (x > inner && x < outer) {
            window.advance(c, moved);
        } else {
            window.place(c, image, padding, z, y, x);
        }
        moved = x >= inner && x + kPixels <= outer ? kPixels : 1;
        if (moved == kPixels) {
            qdepthwise_pixels<Arch, kSigned, int(kPixels)>(c, window, weights, emit, x);
        } else {
            qdepthwise_pixels<Arch, kSigned, 1>(c, window, weights, emit, x);
        }
    }
}

// A unit is one output row. Operands as for qgemm.
template <class Arch>
bool qdepthwise(const void* params, void* const* operands, size_t begin, size_t end) {
    const auto& d = *static_cast<const QDepthwiseParams*>(params);
    const QConvParams& c = d.conv;
    const auto* weights = static_cast<const int16_t*>(operands[1]);
    const auto* head = static_cast<const QBlock*>(operands[2]);
    auto* padding = static_cast<uint8_t*>(operands[4]) + begin * c.gemm.tiling.slot_bytes;
    qgemm_fill<uint8_t>(padding, c.channels, static_cast<uint8_t>(head->x_zero));
    for (size_t unit = begin; unit < end; ++unit) {
        const size_t y = unit % c.out[1], z = unit / c.out[1] % c.out[0], n = unit / c.out[1] / c.out[0];
        const auto* image = static_cast<const uint8_t*>(operands[0]) + n * c.in[0] * c.in[1] * c.in[2] * c.channels;
        const QEmit<Arch> emit = qgemm_emit<Arch>(c.gemm, operands, 0, unit * c.out[2], nullptr);
        if (d.is_signed) {
            qdepthwise_row<Arch, true>(c, image, padding, z, y, weights, emit);
        } else {
            qdepthwise_row<Arch, false>(c, image, padding, z, y, weights, emit);
        }
    }
    return true;
}

}  // namespace coffer::kernels
