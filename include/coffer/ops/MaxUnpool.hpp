// Puts each value of X back where MaxPool found it; everything else is 0. The indices count in the shape that
// MaxPool's attributes imply; a larger output_shape adds zeros at the end of each spatial axis.
// https://onnx.ai/onnx/operators/onnx__MaxUnpool.html
#pragma once

#include <cstring>

#include "coffer/ops/family/pool.hpp"

namespace coffer::ops {

struct MaxUnpool {
    static constexpr AttrSpec kAttrs[] = {AttrSpec::must("kernel_shape", AttrSpec::kInts),
                                          AttrSpec::optional("strides", AttrSpec::kInts),
                                          AttrSpec::optional("pads", AttrSpec::kInts)};
    static constexpr Facts facts{.domain = "",
                                 .name = "MaxUnpool",
                                 .since = 22,
                                 .min_inputs = 2,
                                 .max_inputs = 3,
                                 .min_outputs = 1,
                                 .max_outputs = 1,
                                 .attrs = kAttrs,
                                 .atol = 0,
                                 .rtol = 0};

    static Status infer(InferContext& c) {
        if (!is_float16_to_64(c.dtype(0))) return c.fail("type ", c.dtype(0));
        if (c.dtype(1) != DType::kInt64) return c.fail("indices of type ", c.dtype(1), ", must be int64");
        if (!(c.shape(0) == c.shape(1))) return c.fail("values ", c.shape(0), " and indices ", c.shape(1), " differ");
        Shape implied, out;
        COFFER_TRY(implied_shape(c, c.shape(0), &implied));
        if (!c.has_input(2)) {
            c.set(0, c.dtype(0), implied);
            return {};
        }
        if (c.dtype(2) != DType::kInt64) return c.fail("output_shape of type ", c.dtype(2), ", must be int64");
        if (!c.known(2)) {
            c.set_unknown(0, c.dtype(0));
            return {};
        }
        COFFER_TRY(given_shape(c, *c.known(2), implied, &out));
        c.set(0, c.dtype(0), out);
        return {};
    }

    static Status reference(RunContext& c) {
        const TensorView& src = c.input(0);
        Shape implied, out;
        COFFER_TRY(implied_shape(c, src.shape, &implied));
        out = implied;
        if (c.has_input(2)) COFFER_TRY(given_shape(c, c.input(2), implied, &out));
        if (!c.output(0).data) COFFER_TRY(c.allocate(0, src.dtype, out));
        const TensorView& dst = c.output(0);
        if (dst.nbytes() > 0) std::memset(dst.data, 0, dst.nbytes());
        const auto indices = c.input(1).span<const int64_t>();
        for (int64_t i = 0; i < src.elements(); ++i) {
            int64_t at = indices[static_cast<size_t>(i)];
            if (at < 0 || at >= implied.elements()) {
                return c.fail("index ", at, " is outside ", implied);
            }
            int64_t offset = 0, stride = 1;
            for (int k = out.rank(); k-- > 0;) {
                offset += at % implied[k] * stride;
                at /= implied[k];
                stride *= out[k];
            }
            store_double(dst, offset, load_double(src, i));
        }
        return {};
    }

 private:
    static Status implied_shape(const NodeContext& c, const Shape& in, Shape* out) {
        if (in.rank() < 3) return c.fail("input ", in, " must be (N, C, spatial...)");
        const auto n = static_cast<size_t>(in.rank() - 2);
        const auto kernel = c.attr_ints("kernel_shape"), strides = c.attr_ints("strides"), pads = c.attr_ints("pads");
        if (kernel.size() != n || (!strides.empty() && strides.size() != n) ||
            (!pads.empty() && pads.size() != 2 * n)) {
            return c.fail("kernel_shape, strides and pads have ", kernel.size(), ", ", strides.size(), " and ",
                          pads.size(), " values for ", n, " spatial axes");
        }
        *out = Shape{in[0], in[1]};
        for (size_t i = 0; i < n; ++i) {
            const int64_t stride = strides.empty() ? 1 : strides[i];
            const int64_t pad_begin = pads.empty() ? 0 : pads[i], pad_end = pads.empty() ? 0 : pads[i + n];
            int64_t size;
            if (kernel[i] < 1 || stride < 1 || pad_begin < 0 || pad_end < 0 ||
                !checked_mul(in[static_cast<int>(i) + 2] - 1, stride, &size) ||
                !checked_add(size, kernel[i], &size) || !checked_add(size, -pad_begin, &size) ||
                !checked_add(size, -pad_end, &size) || size < 0) {
                return c.fail("kernel ", kernel[i], ", stride ", stride, " and pads ", pad_begin, ", ", pad_end,
                              " do not fit ", in[static_cast<int>(i) + 2], " elements");
            }
            out->push_back(size);
        }
        int64_t elements;
        if (!out->checked_elements(&elements)) return c.fail("output ", *out, " is too large");
        return {};
    }
    static Status given_shape(const NodeContext& c, const TensorView& given, const Shape& implied, Shape* out) {
        if (given.shape.rank() != 1 || given.shape[0] != implied.rank()) {
            return c.fail("output_shape has shape ", given.shape, " for ", implied.rank(), " axes");
        }
        if (!Shape::from(given.span<const int64_t>(), out)) return c.fail("output_shape has a negative dimension");
        for (int i = 0; i < implied.rank(); ++i) {
            if (i < 2 ? (*out)[i] != implied[i] : (*out)[i] < implied[i]) {
                return c.fail("output_shape ", *out, " does not hold ", implied);
            }
        }
        int64_t elements;
        if (!out->checked_elements(&elements)) return c.fail("output_shape ", *out, " is too large");
        return {};
    }
};

}  // namespace coffer::ops
