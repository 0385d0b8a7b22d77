// Sliding windows over the spatial axes of (N, C, spatial...): what MaxPool, AveragePool and LpPool share.
// Geometry is worked out once by infer (with every size checked) and again, unchanged, by the reference.
#pragma once

#include "coffer/ops/family/window.hpp"

namespace coffer::ops {

inline constexpr int kMaxSpatial = kMaxRank - 2;

// Tap k of output o on an axis reads input o * stride + k * dilation - pad_begin. Steps are as settle_axis() leaves
// them.
struct PoolAxis {
    int64_t in = 1, out = 1, kernel = 1, stride = 1, dilation = 1, pad_begin = 0, pad_end = 0;

    int64_t start(int64_t o) const { return o * stride - pad_begin; }
    // First tap at or after input position `at`, within [0, kernel].
    int64_t tap(int64_t o, int64_t at) const {
        const int64_t gap = at - start(o);
        return gap <= 0 ? 0 : std::min(kernel, (gap + dilation - 1) / dilation);
    }
    int64_t first(int64_t o) const { return tap(o, 0); }
    int64_t last(int64_t o) const { return tap(o, in); }
    int64_t last_padded(int64_t o) const { return tap(o, in + pad_end); }
};

struct PoolGeometry {
    int rank = 0;  // spatial axes
    std::array<PoolAxis, kMaxSpatial> axes{};
};

inline bool is_float16_to_64(DType t) {
    return t == DType::kFloat || t == DType::kDouble || t == DType::kFloat16 || t == DType::kBfloat16;
}

// The output size of one axis and, for SAME_*, its padding.
inline Status pool_axis(const NodeContext& c, std::string_view auto_pad, bool ceil_mode, PoolAxis* a) {
    if (a->kernel < 1 || a->stride < 1 || a->dilation < 1) {
        return c.fail("kernel ", a->kernel, ", stride ", a->stride, " and dilation ", a->dilation,
                      " must be positive");
    }
    if (a->pad_begin < 0 || a->pad_end < 0)
        return c.fail("pads ", a->pad_begin, " and ", a->pad_end, " are negative");
    int64_t extent, padded;
    if (!checked_mul(a->kernel - 1, a->dilation, &extent) || !checked_add<int64_t>(extent, 1, &extent) ||
        !checked_add(a->in, a->pad_begin, &padded) || !checked_add(padded, a->pad_end, &padded) ||
        !checked_add(padded, a->stride, &padded) || extent > INT64_MAX - padded) {
        return c.fail("kernel ", a->kernel, ", dilation ", a->dilation, ", pads ", a->pad_begin, " and ", a->pad_end,
                      " are too large");
    }
    padded -= a->stride;
    if (auto_pad == "SAME_UPPER" || auto_pad == "SAME_LOWER") {
        a->out = a->in / a->stride + (a->in % a->stride != 0);
        const int64_t total = std::max<int64_t>(0, (a->out - 1) * a->stride + extent - a->in);
        a->pad_begin = auto_pad == "SAME_UPPER" ? total / 2 : total - total / 2;
        a->pad_end = total - a->pad_begin;
        return settle_axis(c, a, a->in);
    }
    if (extent > padded) {
        return c.fail("window of ", extent, " does not fit ", a->in, " elements with pads ", a->pad_begin, " and ",
                      a->pad_end);
    }
    const int64_t room = padded - extent;
    a->out = room / a->stride + 1;
    // A window that would start beyond the input and its leading pad does not count.
    if (ceil_mode && room % a->stride != 0 && a->out * a->stride < a->in + a->pad_begin) ++a->out;
    return settle_axis(c, a, a->in);
}

inline Shape pool_output(const Shape& in, const PoolGeometry& g) {
    Shape out{in[0], in[1]};
    for (int i = 0; i < g.rank; ++i) out.push_back(g.axes[static_cast<size_t>(i)].out);
    return out;
}

// Reads strides, dilations, pads and auto_pad; `kernel` has a size for each spatial axis of `shape`.
inline Status window_geometry(const NodeContext& c, const Shape& shape, std::span<const int64_t> kernel,
                              bool ceil_mode, PoolGeometry* g) {
    g->rank = shape.rank() - 2;
    const auto n = static_cast<size_t>(g->rank);
    const auto strides = c.attr_ints("strides"), dilations = c.attr_ints("dilations"), pads = c.attr_ints("pads");
    const auto wrong = [](std::span<const int64_t> list, size_t want) {
        return !list.empty() && list.size() != want;
    };
    if (wrong(strides, n)) return c.fail("strides has ", strides.size(), " values for ", n, " spatial axes");
    if (wrong(dilations, n)) return c.fail("dilations has ", dilations.size(), " values for ", n, " spatial axes");
    if (wrong(pads, 2 * n)) return c.fail("pads has ", pads.size(), " values for ", n, " spatial axes");
    const std::string_view auto_pad = c.attr_s("auto_pad");
    if (auto_pad != "NOTSET" && auto_pad != "VALID" && auto_pad != "SAME_UPPER" && auto_pad != "SAME_LOWER") {
        return c.fail("auto_pad '", auto_pad, "'");
    }
    for (size_t i = 0; i < n; ++i) {
        PoolAxis& a = g->axes[i];
        a.in = shape[static_cast<int>(i) + 2];
        a.kernel = kernel[i];
        if (!strides.empty()) a.stride = strides[i];
        if (!dilations.empty()) a.dilation = dilations[i];
        if (!pads.empty() && auto_pad == "NOTSET") {
            a.pad_begin = pads[i];
            a.pad_end = pads[i + n];
        }
        COFFER_TRY(pool_axis(c, auto_pad, ceil_mode && auto_pad != "VALID", &a));
    }
    return {};
}

// Reads kernel_shape and ceil_mode too.
inline Status pool_geometry(const NodeContext& c, const Shape& shape, PoolGeometry* g) {
    if (shape.rank() < 3) return c.fail("input ", shape, " must be (N, C, spatial...)");
    const auto kernel = c.attr_ints("kernel_shape");
    const auto n = static_cast<size_t>(shape.rank() - 2);
    if (kernel.size() != n) return c.fail("kernel_shape has ", kernel.size(), " values for ", n, " spatial axes");
    COFFER_TRY(window_geometry(c, shape, kernel, c.attr_i("ceil_mode") != 0, g));
    return check_windowed(c, shape, pool_output(shape, *g));
}

// The window of one output position.
struct PoolWindow {
    const PoolGeometry& g;
    std::array<int64_t, kMaxSpatial> at{};  // output position

    // Advances to the next output position in row-major order.
    void next() {
        for (auto i = static_cast<size_t>(g.rank); i-- > 0;) {
            if (++at[i] < g.axes[i].out) return;
            at[i] = 0;
        }
    }
    // Taps in the window: those on the input, or also those on the padding.
    double taps(bool with_padding) const {
        double n = 1;
        for (size_t i = 0; i < static_cast<size_t>(g.rank); ++i) {
            const PoolAxis& a = g.axes[i];
            n *= static_cast<double>(with_padding ? a.last_padded(at[i]) : a.last(at[i]) - a.first(at[i]));
        }
        return n;
    }
    // fn(position) for each tap on the input, in row-major order; position has one index per axis.
    template <class F>
    void each(F fn) const {
        const auto n = static_cast<size_t>(g.rank);
        std::array<int64_t, kMaxSpatial> k{}, position{};
        const auto place = [&](size_t i) { position[i] = g.axes[i].start(at[i]) + k[i] * g.axes[i].dilation; };
        for (size_t i = 0; i < n; ++i) {
            k[i] = g.axes[i].first(at[i]);
            if (k[i] >= g.axes[i].last(at[i])) return;
            place(i);
        }
        while (true) {
            fn(position);
            size_t i = n;
            while (i-- > 0) {
                if (++k[i] < g.axes[i].last(at[i])) break;
                k[i] = g.axes[i].first(at[i]);
                place(i);
            }
            if (i >= n) return;
            place(i);
        }
    }
    int64_t offset(const std::array<int64_t, kMaxSpatial>& position) const {
        int64_t at_input = 0;
        for (size_t i = 0; i < static_cast<size_t>(g.rank); ++i) at_input = at_input * g.axes[i].in + position[i];
        return at_input;
    }
};

// infer() and reference() of a pool that folds the values of a window into one number, from 0:
//   explicit Op(const NodeContext&)                       reads the attributes once
//   double fold(double so_far, double x) const
//   double finish(double folded, const PoolWindow&) const
//   static Status check(const NodeContext&)               refuses bad attributes of its own
template <class Op>
struct PoolFold {
    static Status infer(InferContext& c) {
        if (!is_float16_to_64(c.dtype(0))) return c.fail("type ", c.dtype(0));
        PoolGeometry g;
        COFFER_TRY(pool_geometry(c, c.shape(0), &g));
        COFFER_TRY(Op::check(c));
        c.set(0, c.dtype(0), pool_output(c.shape(0), g));
        return {};
    }
    static Status reference(RunContext& c) {
        const TensorView &src = c.input(0), &dst = c.output(0);
        PoolGeometry g;
        COFFER_TRY(pool_geometry(c, src.shape, &g));
        const int64_t in = src.shape.elements(2, src.shape.rank()), out = dst.shape.elements(2, dst.shape.rank());
        const Op op(c);
        PoolWindow window{g};
        for (int64_t i = 0; i < dst.elements(); ++i, window.next()) {
            const int64_t plane = i / out * in;
            double value = 0;
            window.each([&](const auto& at) { value = op.fold(value, load_double(src, plane + window.offset(at))); });
            store_double(dst, i, op.finish(value, window));
        }
        return {};
    }
};

// The same over all of the spatial axes at once: (N, C, spatial...) -> (N, C, 1...). The fold begins at Op::start
// and finish takes the number of elements.
template <class Op>
struct GlobalPool {
    static Status infer(InferContext& c) {
        if (!is_float16_to_64(c.dtype(0))) return c.fail("type ", c.dtype(0));
        const Shape& in = c.shape(0);
        if (in.rank() < 2) return c.fail("input ", in, " must be (N, C, spatial...)");
        COFFER_TRY(Op::check(c));
        Shape out{in[0], in[1]};
        for (int i = 2; i < in.rank(); ++i) out.push_back(1);
        c.set(0, c.dtype(0), out);
        return {};
    }
    static Status reference(RunContext& c) {
        const TensorView &src = c.input(0), &dst = c.output(0);
        const int64_t n = src.shape.elements(2, src.shape.rank());
        const Op op(c);
        for (int64_t i = 0; i < dst.elements(); ++i) {
            double value = Op::start;
            for (int64_t k = 0; k < n; ++k) value = op.fold(value, load_double(src, i * n + k));
            store_double(dst, i, op.finish(value, static_cast<double>(n)));
        }
        return {};
    }
};

}  // namespace coffer::ops
