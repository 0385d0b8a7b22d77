// Integer convolution over channels-last images as a matrix product (qgemm.hpp): the rows are gathered pixel by
// pixel while they are packed, a block of rows at a time, so that no image of columns is ever made.
// Only arch.cpp includes this file.
#pragma once

#include "coffer/kernels/qgemm.hpp"

namespace coffer::kernels {

template <class Arch>
struct QPixelSource {
    const uint8_t* base;
    const QConvParams& c;
    uint8_t zero;  // what padding is, as the kernel sees it

    bool can_direct() const { return false; }
    const uint8_t* direct(size_t, size_t) const { return nullptr; }
    size_t direct_stride() const { return 0; }

    template <class A>
    void pack(size_t group, size_t row, size_t rows, A* dst, size_t stride) const {
        const QGemmParams& p = c.gemm;
        size_t x = row % c.out[2], y = row / c.out[2] % c.out[1], z = row / c.out[2] / c.out[1] % c.out[0];
        size_t image = row / c.out[2] / c.out[1] / c.out[0];
        const size_t padding = p.quads * kQQuad - p.k;
        for (size_t r = 0, run = 0; r < rows; r += run, dst += run * stride) {
            const uint8_t* from = base + image * c.in[0] * c.in[1] * c.in[2] * c.channels + group * p.a_batch;
            run = inner_run(x, rows - r);
            if (run != 0) {
                lines<A>(from, z, y, x, run, dst, stride);
            } else {
                run = 1;
                pixel<A>(from, z, y, x, dst);
            }
            for (size_t i = 0; i < run; ++i) qgemm_fill<A>(dst + i * stride + p.k, padding, 0);
            if ((x += run) < c.out[2]) continue;
            x = 0;
            if (++y < c.out[1]) continue;
            y = 0;
            if (++z < c.out[0]) continue;
            z = 0;
            ++image;
        }
    }

 private:
    // How many pixels from x on, of at most `rows`, have kernel rows that lie whole in the image.
    size_t inner_run(size_t x, size_t rows) const {
        if (c.dilation[2] != 1 || c.channels != c.group_channels) return 0;
        const ptrdiff_t x0 = ptrdiff_t(x * c.stride[2]) - c.pad[2],
                        last = ptrdiff_t(c.in[2]) - ptrdiff_t(c.kernel[2]);
        if (x0 < 0 || x0 > last) return 0;
        const size_t fit = size_t(last - x0) / c.stride[2] + 1, left = c.out[2] - x;
        const size_t most = fit < left ? fit : left;
        return most < rows ? most : rows;
    }
    // The windows of such a run, one kernel row after the other for all pixels.
    template <class A>
    void lines(const uint8_t* image, size_t z, size_t y, size_t x, size_t pixels, A* dst, size_t stride) const {
        const ptrdiff_t z0 = ptrdiff_t(z * c.stride[0]) - c.pad[0], y0 = ptrdiff_t(y * c.stride[1]) - c.pad[1],
                        x0 = ptrdiff_t(x * c.stride[2]) - c.pad[2];
        const size_t line = c.kernel[2] * c.channels;
        for (size_t kz = 0; kz < c.kernel[0]; ++kz) {
            const size_t iz = size_t(z0 + ptrdiff_t(kz * c.dilation[0]));  // wraps to huge when negative
            for (size_t ky = 0; ky < c.kernel[1]; ++ky, dst += line) {
                const size_t iy = size_t(y0 + ptrdiff_t(ky * c.dilation[1]));
                if (iz >= c.in[0] || iy >= c.in[1]) {
                    for (size_t i = 0; i < pixels; ++i) pad(dst + i * stride, line);
                    continue;
                }
                const uint8_t* src = image + ((iz * c.in[1] + iy) * c.in[2] + size_t(x0)) * c.channels;
                qgemm_pack_runs<Arch>(dst, stride, src, c.stride[2] * c.channels, line, pixels, c.gemm.flip);
            }
        }
    }
    // The window of output pixel (z, y, x) as one row.
    template <class A>
    void pixel(const uint8_t* image, size_t z, size_t y, size_t x, A* dst) const {
        const ptrdiff_t z0 = ptrdiff_t(z * c.stride[0]) - c.pad[0], y0 = ptrdiff_t(y * c.stride[1]) - c.pad[1],
                        x0 = ptrdiff_t(x * c.stride[2]) - c.pad[2];
        const size_t line = c.kernel[2] * c.group_channels;
        const bool whole = x0 >= 0 && size_t(x0) + (c.kernel[2] - 1) * c.dilation[2] < c.in[2];
        const bool run = whole && c.dilation[2] == 1 && c.channels == c.group_channels;
        for (size_t kz = 0; kz < c.kernel[0]; ++kz) {
            const size_t iz = size_t(z0 + ptrdiff_t(kz * c.dilation[0]));  // wraps to huge when negative
            for (size_t ky = 0; ky < c.kernel[1]; ++ky, dst += line) {
                const size_t iy = size_t(y0 + ptrdiff_t(ky * c.dilation[1]));
                if (iz >= c.in[0] || iy >= c.in[1]) {
                    pad(dst, line);
                    continue;
                }
                const uint8_t* src = image + (iz * c.in[1] + iy) * c.in[2] * c.channels;
                if (run) {
                    qgemm_pack_run<Arch>(dst, src + size_t(x0) * c.channels, line, c.gemm.flip);
                } else {
                    taps<A>(src, x0, dst);
                }
            }
        }
    }
    template <class A>
    void taps(const uint8_t* src, ptrdiff_t x0, A* dst) const {
        for (size_t kx = 0; kx < c.kernel[2]; ++kx, dst += c.group_channels) {
            const size_t ix = size_t(x0 + ptrdiff_t(kx * c.dilation[2]));
            if (ix < c.in[2]) {
                qgemm_pack_run<Arch>(dst, src + ix * c.channels, c.group_channels, c.gemm.flip);
            } else {
                pad(dst, c.group_channels);
            }
        }
    }
    template <class A>
    void pad(A* dst, size_t count) const {
        qgemm_fill<A>(dst, count, zero);
    }
};

template <class Arch>
bool qconv(const void* params, void* const* operands, size_t begin, size_t end) {
    const auto& c = *static_cast<const QConvParams*>(params);
    const auto* head = static_cast<const QBlock*>(operands[2]);
    const QPixelSource<Arch> source{static_cast<const uint8_t*>(operands[0]), c, static_cast<uint8_t>(head->x_zero)};
    return qgemm_units<Arch>(c.gemm, source, operands, begin, end);
}

}  // namespace coffer::kernels
