// Largest value of each window and, on request, where it was found: the index into the whole input, with the
// spatial axes in row-major (storage_order 0) or column-major (1) order.
// https://onnx.ai/onnx/operators/onnx__MaxPool.html
#pragma once

#include <limits>

#include "coffer/ops/family/pool_fast.hpp"

namespace coffer::ops {

struct MaxPool : PoolFast<MaxPool, kernels::PoolKind::kMax> {
    static constexpr AttrSpec kAttrs[] = {AttrSpec::must("kernel_shape", AttrSpec::kInts),
                                          AttrSpec::optional("strides", AttrSpec::kInts),
                                          AttrSpec::optional("dilations", AttrSpec::kInts),
                                          AttrSpec::optional("pads", AttrSpec::kInts),
                                          AttrSpec::s("auto_pad", "NOTSET"),
                                          AttrSpec::i("ceil_mode", 0),
                                          AttrSpec::i("storage_order", 0)};
    static constexpr Facts facts{.domain = "",
                                 .name = "MaxPool",
                                 .since = 22,
                                 .min_inputs = 1,
                                 .max_inputs = 1,
                                 .min_outputs = 1,
                                 .max_outputs = 2,
                                 .attrs = kAttrs,
                                 .layout = LayoutRule::kFollow,
                                 .atol = 0,
                                 .rtol = 0};

    static Status infer(InferContext& c) {
        const DType t = c.dtype(0);
        if (!is_float16_to_64(t) && t != DType::kInt8 && t != DType::kUint8) return c.fail("type ", t);
        PoolGeometry g;
        COFFER_TRY(pool_geometry(c, c.shape(0), &g));
        if (const int64_t order = c.attr_i("storage_order"); order != 0 && order != 1) {
            return c.fail("storage_order is ", order, ", must be 0 or 1");
        }
        c.set(0, t, pool_output(c.shape(0), g));
        c.set(1, DType::kInt64, pool_output(c.shape(0), g));
        return {};
    }

    // NaN never wins. A window without any tap on the input (possible with dilation) gives the lowest value
    // of the type and index 0 of its plane.
    static Status reference(RunContext& c) {
        const TensorView &src = c.input(0), &dst = c.output(0);
        PoolGeometry g;
        COFFER_TRY(pool_geometry(c, src.shape, &g));
        const Shape windows = pool_output(src.shape, g);  // either output may be unwanted
        const int64_t in = src.shape.elements(2, src.shape.rank()), out = windows.elements(2, windows.rank());
        const bool column_major = c.attr_i("storage_order") == 1;
        const double lowest = src.dtype == DType::kInt8    ? -128
                              : src.dtype == DType::kUint8 ? 0
                                                           : -std::numeric_limits<double>::infinity();
        int64_t* const indices = c.has_output(1) ? c.output(1).as<int64_t>() : nullptr;
        PoolWindow window{g};
        for (int64_t i = 0; i < windows.elements(); ++i, window.next()) {
            const int64_t plane = i / out * in;
            double best = lowest;
            std::array<int64_t, kMaxSpatial> where{};
            bool found = false;
            window.each([&](const auto& at) {
                const double x = load_double(src, plane + window.offset(at));
                if (found && !(x > best)) return;
                if (x > best) best = x;
                if (!found || x >= best) where = at;
                found = true;
            });
            if (c.has_output(0)) store_double(dst, i, best);
            if (indices) indices[i] = plane + (column_major ? column_major_offset(g, where) : window.offset(where));
        }
        return {};
    }

 private:
    static int64_t column_major_offset(const PoolGeometry& g, const std::array<int64_t, kMaxSpatial>& at) {
        int64_t offset = 0;
        for (auto i = static_cast<size_t>(g.rank); i-- > 0;) offset = offset * g.axes[i].in + at[i];
        return offset;
    }
};

}  // namespace coffer::ops
