// Adds columns of blocks back into an image. https://onnx.ai/onnx/operators/onnx__Col2Im.html
#pragma once

#include "coffer/ops/family/move.hpp"

namespace coffer::ops {

struct Col2Im : MoveOp<Col2Im> {
    static constexpr AttrSpec attrs[] = {AttrSpec::optional("dilations", AttrSpec::kInts),
                                         AttrSpec::optional("pads", AttrSpec::kInts),
                                         AttrSpec::optional("strides", AttrSpec::kInts)};
    static constexpr Facts facts{.domain = "",
                                 .name = "Col2Im",
                                 .since = 18,
                                 .min_inputs = 3,
                                 .max_inputs = 3,
                                 .min_outputs = 1,
                                 .max_outputs = 1,
                                 .attrs = attrs};

    static Status move(MoveContext& m) {
        const Shape& x = m.shape(0);
        const DType dtype = m.dtype(0);
        if (!is_integer(dtype) && !is_floating(dtype)) return m.fail("type ", dtype);
        Ints image, block;
        COFFER_TRY_ASSIGN(const bool image_known, m.ints(1, &image));
        COFFER_TRY_ASSIGN(const bool block_known, m.ints(2, &block));
        const int n = image.n;
        if (x.rank() != 3 || n < 1 || n > kMaxRank - 2 || block.n != n)
            return m.fail("input ", x, ", image of ", n, " dims, block of ", block.n);
        const auto dilations = m.node().attr_ints("dilations"), pads = m.node().attr_ints("pads"),
                   strides = m.node().attr_ints("strides");
        const auto size = static_cast<size_t>(n);
        if ((!dilations.empty() && dilations.size() != size) || (!pads.empty() && pads.size() != 2 * size) ||
            (!strides.empty() && strides.size() != size)) {
            return m.fail("dilations, pads and strides need ", n, ", ", 2 * n, " and ", n, " entries");
        }
        if (!image_known || !block_known) return m.unknown(0, dtype);
        Shape places, kernel, to{x[0], 0};
        int64_t area = 1, count = 1;
        for (int i = 0; i < n; ++i) {
            const auto k = static_cast<size_t>(i);
            const int64_t dilation = dilations.empty() ? 1 : dilations[k], stride = strides.empty() ? 1 : strides[k];
            const int64_t before = pads.empty() ? 0 : pads[k], after = pads.empty() ? 0 : pads[k + size];
            int64_t padded = 0, reach = 0;
            if (before < 0 || after < 0) return m.fail("pads ", before, " and ", after, " on axis ", i);
            if (dilation < 1 || stride < 1 || image[i] < 1 || block[i] < 1 ||
                !checked_mul(block[i] - 1, dilation, &reach) || !checked_add(image[i], before, &padded) ||
                !checked_add(padded, after, &padded) || padded - 1 < reach) {
                return m.fail("axis ", i, ": image ", image[i], ", block ", block[i], ", stride ", stride,
                              ", dilation ", dilation);
            }
            places.push_back((padded - 1 - reach) / stride + 1);
            kernel.push_back(block[i]);
            to.push_back(image[i]);
            if (!checked_mul(area, block[i], &area) || !checked_mul(count, places[i], &count))
                return m.fail("block is too large");
        }
        if (x[1] % area != 0 || x[2] != count)
            return m.fail("input ", x, " for blocks of ", area, " at ", count, " places");
        to[1] = x[1] / area;
        COFFER_TRY(m.output(0, dtype, to));
        if (!m.running()) return {};
        // Sums are kept exact in double and stored once.
        const int64_t plane = to.elements(2, to.rank());
        COFFER_TRY_ASSIGN(std::byte* const memory, m.scratch(static_cast<size_t>(plane) * sizeof(double)));
        auto* sum = reinterpret_cast<double*>(memory);
        for (int64_t o = 0; o < to[0] * to[1]; ++o) {
            std::fill_n(sum, plane, 0.0);
            for (int64_t b = 0; b < area; ++b) {
                for (int64_t p = 0; p < count; ++p) {
                    int64_t in_block = b, in_places = p, at = 0, step = 1;
                    bool inside = true;
                    for (int i = n - 1; i >= 0 && inside; --i) {  // offsets of places outside may be of any size
                        const auto k = static_cast<size_t>(i);
                        const int64_t y = in_places % places[i] * (strides.empty() ? 1 : strides[k]) +
                                          in_block % kernel[i] * (dilations.empty() ? 1 : dilations[k]) -
                                          (pads.empty() ? 0 : pads[k]);
                        in_places /= places[i];
                        in_block /= kernel[i];
                        inside = y >= 0 && y < image[i];
                        if (inside) at += y * step;
                        step *= image[i];
                    }
                    if (inside) sum[at] += load_double(*m.value(0), (o * area + b) * count + p);
                }
            }
            for (int64_t i = 0; i < plane; ++i) store_double(m.result(0), o * plane + i, sum[i]);
        }
        return {};
    }
};

}  // namespace coffer::ops
