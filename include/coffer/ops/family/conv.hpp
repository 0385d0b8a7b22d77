// Windows of convolutions: attributes resolved to strides, dilations, pads and output sizes, with every check;
// and the readable loops. Nothing fast here: see conv_plan.hpp.
#pragma once

#include "coffer/ops/family/window.hpp"

namespace coffer::ops {

inline constexpr AttrSpec kConvAttrs[] = {
    AttrSpec::s("auto_pad", "NOTSET"),
    AttrSpec::optional("dilations", AttrSpec::kInts),
    AttrSpec::i("group", 1),
    AttrSpec::optional("kernel_shape", AttrSpec::kInts),
    AttrSpec::optional("pads", AttrSpec::kInts),
    AttrSpec::optional("strides", AttrSpec::kInts),
};

constexpr bool is_conv_type(DType t) {
    return t == DType::kFloat || t == DType::kDouble || t == DType::kFloat16 || t == DType::kBfloat16;
}

enum class AutoPad : uint8_t { kNotSet, kSameUpper, kSameLower, kValid };

// One spatial axis. `extent` is the kernel's reach: (kernel - 1) * dilation + 1.
struct Window {
    int64_t in = 0, out = 0, kernel = 1, stride = 1, dilation = 1, extent = 1, pad_begin = 0, pad_end = 0;

    // The odd element of the padding goes to the end, or to the beginning.
    void split(int64_t total, bool more_at_end) {
        pad_begin = more_at_end ? total / 2 : total - total / 2;
        pad_end = total - pad_begin;
    }
};

// Everything known about a convolution's shapes. `transposed` ones read W as (C, M / group, kernel...).
struct ConvShape {
    static constexpr int kMaxSpatial = kMaxRank - 2;
    int spatial = 0;
    int64_t batch = 0, group = 1, channels = 0, outputs = 0;  // channels in and out, all groups
    Window axes[kMaxSpatial];

    int64_t group_channels() const { return channels / group; }
    int64_t group_outputs() const { return outputs / group; }
    int64_t taps() const { return product(&Window::kernel); }
    int64_t in_pixels() const { return product(&Window::in); }
    int64_t out_pixels() const { return product(&Window::out); }
    Shape output() const {
        Shape s{batch, outputs};
        for (int i = 0; i < spatial; ++i) s.push_back(axes[i].out);
        return s;
    }

    static Result<ConvShape> of(const NodeContext& c, const Shape& x, const Shape& w) {
        COFFER_TRY_ASSIGN(ConvShape s, common(c, x, w, false));
        COFFER_TRY_ASSIGN(const AutoPad mode, auto_pad(c));
        for (int i = 0; i < s.spatial; ++i) {
            Window& a = s.axes[i];
            if (mode == AutoPad::kSameUpper || mode == AutoPad::kSameLower) {
                a.out = a.in / a.stride + (a.in % a.stride != 0);
                int64_t needed = 0;
                if (!checked_mul(std::max<int64_t>(a.out - 1, 0), a.stride, &needed) ||
                    !checked_add(needed, a.extent, &needed)) {
                    return c.fail("axis ", i, " overflows");
                }
                a.split(std::max<int64_t>(needed - a.in, 0), mode == AutoPad::kSameUpper);
                continue;
            }
            if (mode == AutoPad::kValid) a.pad_begin = a.pad_end = 0;
            int64_t padded = 0;
            if (!checked_add(a.in, a.pad_begin, &padded) || !checked_add(padded, a.pad_end, &padded)) {
                return c.fail("pads of axis ", i, " overflow");
            }
            if (padded < a.extent) {
                return c.fail("kernel reaches over ", a.extent, " elements of axis ", i, ", which has ", padded,
                              " with padding");
            }
            a.out = (padded - a.extent) / a.stride + 1;
        }
        for (int i = 0; i < s.spatial; ++i) COFFER_TRY(settle_axis(c, &s.axes[i], s.axes[i].in));
        COFFER_TRY(check_windowed(c, x, s.output()));
        return s;
    }

    static Result<ConvShape> transposed(const NodeContext& c, const Shape& x, const Shape& w) {
        COFFER_TRY_ASSIGN(ConvShape s, common(c, x, w, true));
        COFFER_TRY_ASSIGN(const AutoPad mode, auto_pad(c));
        const auto rank = static_cast<size_t>(s.spatial);
        const std::span<const int64_t> extra = c.attr_ints("output_padding"), wanted = c.attr_ints("output_shape");
        if (!extra.empty() && extra.size() != rank) return c.fail("output_padding has ", extra.size(), " values");
        // Some exporters write the whole output shape, with batch and channels.
        if (!wanted.empty() && wanted.size() != rank && wanted.size() != rank + 2) {
            return c.fail("output_shape has ", wanted.size(), " values");
        }
        for (size_t i = 0; i < rank; ++i) {
            Window& a = s.axes[i];
            const int64_t more = extra.empty() ? 0 : extra[i];
            if (more < 0) return c.fail("output_padding of axis ", i, " is ", more);
            int64_t full = 0;  // size of the output without any pads
            if (!checked_mul(std::max<int64_t>(a.in - 1, 0), a.stride, &full) ||
                !checked_add(full, a.extent, &full) || !checked_add(full, more, &full)) {
                return c.fail("axis ", i, " overflows");
            }
            const bool same = mode == AutoPad::kSameUpper || mode == AutoPad::kSameLower;
            if (!wanted.empty() || same) {
                if (wanted.empty() && !checked_mul(a.in, a.stride, &a.out)) return c.fail("axis ", i, " overflows");
                if (!wanted.empty()) a.out = wanted[wanted.size() - rank + i];
                if (a.out < 0) return c.fail("output_shape of axis ", i, " is ", a.out);
                a.split(std::max<int64_t>(full - a.out, 0), mode == AutoPad::kSameUpper);
                continue;
            }
            if (mode == AutoPad::kValid) a.pad_begin = a.pad_end = 0;
            int64_t pads = 0;
            if (!checked_add(a.pad_begin, a.pad_end, &pads)) return c.fail("pads of axis ", i, " overflow");
            if (full < pads) return c.fail("pads of axis ", i, " take ", pads, " of ", full, " elements");
            a.out = a.in == 0 ? 0 : full - pads;
        }
        for (int i = 0; i < s.spatial; ++i) COFFER_TRY(settle_axis(c, &s.axes[i], s.axes[i].out));
        COFFER_TRY(check_windowed(c, x, s.output()));
        return s;
    }

 private:
    int64_t product(int64_t Window::*member) const {
        uint64_t n = 1;  // of an empty input it may wrap on the way to 0
        for (int i = 0; i < spatial; ++i) n *= static_cast<uint64_t>(axes[i].*member);
        return static_cast<int64_t>(n);
    }

    static Result<AutoPad> auto_pad(const NodeContext& c) {
        const std::string_view text = c.attr_s("auto_pad");
        if (text == "NOTSET" || text.empty()) return AutoPad::kNotSet;
        if (text == "SAME_UPPER") return AutoPad::kSameUpper;
        if (text == "SAME_LOWER") return AutoPad::kSameLower;
        if (text == "VALID") return AutoPad::kValid;
        return c.fail("auto_pad '", text, "'");
    }

    static Result<ConvShape> common(const NodeContext& c, const Shape& x, const Shape& w, bool transposed) {
        if (x.rank() < 3) return c.fail("input needs a batch, channels and at least one axis: ", x);
        if (w.rank() != x.rank()) return c.fail("weights ", w, " do not fit input ", x);
        if (x[1] == 0) return c.fail("input ", x, " has no channels");
        ConvShape s;
        s.spatial = x.rank() - 2;
        const auto rank = static_cast<size_t>(s.spatial);
        s.batch = x[0];
        s.channels = x[1];
        s.group = c.attr_i("group");
        if (s.group < 1) return c.fail("group is ", s.group);
        const int64_t per_group = transposed ? w[0] : w[1];
        if (s.channels % s.group != 0 || per_group != (transposed ? s.channels : s.channels / s.group)) {
            return c.fail("weights ", w, " in ", s.group, " groups do not fit ", s.channels, " channels");
        }
        if (transposed) {
            if (!checked_mul(w[1], s.group, &s.outputs)) return c.fail("output channels overflow");
        } else {
            s.outputs = w[0];
            if (s.outputs % s.group != 0)
                return c.fail(s.outputs, " outputs do not divide into ", s.group, " groups");
        }
        const auto strides = c.attr_ints("strides"), dilations = c.attr_ints("dilations"), pads = c.attr_ints("pads"),
                   kernel = c.attr_ints("kernel_shape");
        if (!strides.empty() && strides.size() != rank) return c.fail("strides has ", strides.size(), " values");
        if (!dilations.empty() && dilations.size() != rank) {
            return c.fail("dilations has ", dilations.size(), " values");
        }
        if (!pads.empty() && pads.size() != 2 * rank) return c.fail("pads has ", pads.size(), " values");
        if (!kernel.empty() && kernel.size() != rank) return c.fail("kernel_shape has ", kernel.size(), " values");
        for (size_t i = 0; i < rank; ++i) {
            const int axis = static_cast<int>(i) + 2;
            Window& a = s.axes[i];
            a.in = x[axis];
            a.kernel = w[axis];
            if (!kernel.empty() && kernel[i] != a.kernel) {
                return c.fail("kernel_shape ", kernel[i], " differs from weights ", w);
            }
            if (a.kernel < 1) return c.fail("kernel of axis ", i, " is ", a.kernel);
            if (!strides.empty()) a.stride = strides[i];
            if (!dilations.empty()) a.dilation = dilations[i];
            if (a.stride < 1) return c.fail("stride of axis ", i, " is ", a.stride);
            if (a.dilation < 1) return c.fail("dilation of axis ", i, " is ", a.dilation);
            if (!pads.empty()) {
                a.pad_begin = pads[i];
                a.pad_end = pads[i + rank];
            }
            if (a.pad_begin < 0 || a.pad_end < 0) return c.fail("pads of axis ", i, " are negative");
            if (!checked_mul(a.kernel - 1, a.dilation, &a.extent) || !checked_add<int64_t>(a.extent, 1, &a.extent)) {
                return c.fail("dilation of axis ", i, " overflows");
            }
        }
        return s;
    }
};

inline Status check_conv_types(const InferContext& c) {
    if (!is_conv_type(c.dtype(0))) return c.fail("type ", c.dtype(0));
    for (size_t i = 1; i < c.input_count(); ++i) {
        if (c.has_input(i) && c.dtype(i) != c.dtype(0)) return c.fail("types differ: ", c.dtype(0), ", ", c.dtype(i));
    }
    return {};
}
inline Status check_conv_bias(const InferContext& c, const ConvShape& s) {
    if (c.has_input(2) && c.shape(2) != Shape{s.outputs}) {
        return c.fail("bias must be (", s.outputs, "), not ", c.shape(2));
    }
    return {};
}

// Flat index of a weight (m, channel in group, tap) of a plain convolution.
inline auto plain_weight(const ConvShape& s) {
    return [channels = s.group_channels(), taps = s.taps()](int64_t m, int64_t k, int64_t tap) {
        return (m * channels + k) * taps + tap;
    };
}

// Calls visit(position) for every position of a box of `spatial` axes, last axis fastest.
template <class Visit>
void for_each_position(const ConvShape& s, int64_t Window::*size, Visit visit) {
    int64_t at[ConvShape::kMaxSpatial] = {};
    int64_t count = 1;
    for (int i = 0; i < s.spatial; ++i) count *= s.axes[i].*size;
    for (int64_t n = 0; n < count; ++n) {
        visit(at);
        for (int i = s.spatial; i-- > 0;) {
            if (++at[i] < s.axes[i].*size) break;
            at[i] = 0;
        }
    }
}

// Flat index of the input element that `tap` of output position `out` reads, or -1 in the padding.
inline int64_t conv_source(const ConvShape& s, const int64_t* out, const int64_t* tap) {
    int64_t index = 0;
    for (int i = 0; i < s.spatial; ++i) {
        const Window& a = s.axes[i];
        const int64_t at = out[i] * a.stride + tap[i] * a.dilation - a.pad_begin;
        if (at < 0 || at >= a.in) return -1;
        index = index * a.in + at;
    }
    return index;
}
// The same for a transposed convolution: the input element that reaches `out` through `tap`, or -1.
inline int64_t conv_transpose_source(const ConvShape& s, const int64_t* out, const int64_t* tap) {
    int64_t index = 0;
    for (int i = 0; i < s.spatial; ++i) {
        const Window& a = s.axes[i];
        const int64_t at = out[i] + a.pad_begin - tap[i] * a.dilation;
        if (at < 0 || at % a.stride != 0 || at / a.stride >= a.in) return -1;
        index = index * a.in + at / a.stride;
    }
    return index;
}

// Output element (n, m, position) = finish(its flat index, m, sum over channels and taps). `source` is one of
// the two functions above, `weight(m, channel in group, tap)` the flat index of a weight.
template <class Source, class Weight, class Finish>
void reference_conv(RunContext& c, const ConvShape& s, Source source, Weight weight, Finish finish) {
    const TensorView &x = c.input(0), &w = c.input(1), &y = c.output(0);
    int64_t at = 0;
    for (int64_t n = 0; n < s.batch; ++n) {
        for (int64_t m = 0; m < s.outputs; ++m) {
            const int64_t first = m / s.group_outputs() * s.group_channels();
            for_each_position(s, &Window::out, [&](const int64_t* out) {
                double sum = 0;
                int64_t tap_index = 0;
                for_each_position(s, &Window::kernel, [&](const int64_t* tap) {
                    const int64_t from = source(s, out, tap);
                    for (int64_t k = 0; from >= 0 && k < s.group_channels(); ++k) {
                        const int64_t pixel = (n * s.channels + first + k) * s.in_pixels() + from;
                        sum += load_double(x, pixel) * load_double(w, weight(m, k, tap_index));
                    }
                    ++tap_index;
                });
                store_double(y, at, finish(at, m, sum));
                ++at;
            });
        }
    }
}

}  // namespace coffer::ops
