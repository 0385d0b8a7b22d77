// Depthwise integer convolution over channels-last images, channel multiplier 1: every channel has its own
// window, so the vectors run over channels, and two kernel positions are multiplied at a time.
// Only arch.cpp includes this file.
#pragma once

#include "coffer/kernels/qgemm.hpp"

namespace coffer::kernels {

// Pointers to the input pixels under the kernel as it slides along one output row. Positions outside the image
// point to a pixel of padding and stay there.
struct QWindow {
    const uint8_t* taps[kQDepthwiseTaps + 1];

    template <class Arch>
    static inline void place(QWindow& w, const QConvParams& c, const uint8_t* image, const uint8_t* padding, size_t z,
                             size_t y, size_t x) {
        size_t t = 0;
        for (size_t kz = 0; kz < c.kernel[0]; ++kz) {
            const size_t iz = z * c.stride[0] + kz * c.dilation[0] - size_t(c.pad[0]);  // huge when negative
            for (size_t ky = 0; ky < c.kernel[1]; ++ky) {
                const size_t iy = y * c.stride[1] + ky * c.dilation[1] - size_t(c.pad[1]);
                const bool inside = iz < c.in[0] && iy < c.in[1];
                const uint8_t* line = inside ? image + (iz * c.in[1] + iy) * c.in[2] * c.channels : nullptr;
                for (size_t kx = 0; kx < c.kernel[2]; ++kx, ++t) {
                    const size_t ix = x * c.stride[2] + kx * c.dilation[2] - size_t(c.pad[2]);
                    w.taps[t] = inside && ix < c.in[2] ? line + ix * c.channels : padding;
                }
            }
        }
        w.taps[t] = padding;  // partner of the last tap of an odd number; its weight is 0
    }
    // One pixel to the right, when no tap enters or leaves the image.
    template <class Arch>
    static inline void advance(QWindow& w, const QConvParams& c, const uint8_t* padding) {
        const size_t step = c.stride[2] * c.channels;
        for (size_t t = 0; t < c.taps; ++t) w.taps[t] += w.taps[t] == padding ? 0 : step;
    }
};

template <class Arch, bool kSigned>
static inline void qdepthwise_pixel(const QConvParams& c, const uint8_t* const* taps, const int16_t* weights,
                                    const QEmit<Arch>& emit, size_t row) {
    using L = QLanes<Arch>;
    using I = typename L::I;
    const size_t pairs = qdepthwise_pairs(c.taps);
    const size_t whole = c.channels / kQPanel;
    for (size_t panel = 0; panel < c.gemm.tiling.panels; ++panel) {
        const size_t channel = panel * kQPanel;
        const int16_t* w = weights + channel * 2;
        I v[L::kCount];
        for (size_t i = 0; i < L::kCount; ++i) v[i] = I(0);
        if (panel < whole) {
            for (size_t i = 0; i < pairs; ++i, w += c.gemm.columns * 2) {
                QPairs<Arch, kSigned>::add(v, taps[2 * i] + channel, taps[2 * i + 1] + channel, w);
            }
        } else {  // the last channels, without reading past the pixel
            const size_t rest = c.channels - channel;
            uint8_t a[kQPanel] = {}, b[kQPanel] = {};
            for (size_t i = 0; i < pairs; ++i, w += c.gemm.columns * 2) {
                for (size_t k = 0; k < rest; ++k) {
                    a[k] = taps[2 * i][channel + k];
                    b[k] = taps[2 * i + 1][channel + k];
                }
                QPairs<Arch, kSigned>::add(v, a, b, w);
            }
        }
        emit.finish(row, panel, v);
    }
}

// A unit is one output row. Operands as for qgemm.
template <class Arch>
bool qdepthwise(const void* params, void* const* operands, size_t begin, size_t end) {
    const auto& d = *static_cast<const QDepthwiseParams*>(params);
    const QConvParams& c = d.conv;
    const QTiling& t = c.gemm.tiling;
    const auto* weights = static_cast<const int16_t*>(operands[1]);
    const auto* head = static_cast<const QBlock*>(operands[2]);
    auto* padding = static_cast<uint8_t*>(operands[4]) + begin * t.slot_bytes;
    qgemm_fill<uint8_t>(padding, c.channels, static_cast<uint8_t>(head->x_zero));
    // Output columns whose window lies inside the image from left to right.
    const size_t span = (c.kernel[2] - 1) * c.dilation[2];
    const size_t pad = size_t(c.pad[2] > 0 ? c.pad[2] : 0);
    const size_t inner = (pad + c.stride[2] - 1) / c.stride[2];
    for (size_t unit = begin; unit < end; ++unit) {
        const size_t y = unit % c.out[1], z = unit / c.out[1] % c.out[0], n = unit / c.out[1] / c.out[0];
        const auto* image = static_cast<const uint8_t*>(operands[0]) + n * c.in[0] * c.in[1] * c.in[2] * c.channels;
        const QEmit<Arch> emit = qgemm_emit<Arch>(c.gemm, operands, 0, unit * c.out[2], nullptr);
        QWindow window;
        for (size_t x = 0; x < c.out[2]; ++x) {
            if (x > inner && x * c.stride[2] - pad + span < c.in[2]) {
                QWindow::advance<Arch>(window, c, padding);
            } else {
                QWindow::place<Arch>(window, c, image, padding, z, y, x);
            }
            if (d.is_signed) {
                qdepthwise_pixel<Arch, true>(c, window.taps, weights, emit, x);
            } else {
                qdepthwise_pixel<Arch, false>(c, window.taps, weights, emit, x);
            }
        }
    }
    return true;
}

}  // namespace coffer::kernels
