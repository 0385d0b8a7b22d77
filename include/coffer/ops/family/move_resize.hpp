// The geometry of Resize: output size and scale of each axis, and where each output element comes from.
#pragma once

#include <cmath>

#include "coffer/ops/family/move.hpp"

namespace coffer::ops {

struct ResizeAxis {
    int64_t from = 0, to = 0;
    double scale = 1, roi_begin = 0, roi_end = 1;
};

class ResizeGeometry {
 public:
    enum Mode : uint8_t { kNearest, kLinear, kCubic };
    enum Transform : uint8_t {
        kHalfPixel,
        kHalfPixelSymmetric,
        kPytorch,
        kAlignCorners,
        kAsymmetric,
        kCropAndResize
    };
    enum Rounding : uint8_t { kPreferFloor, kPreferCeil, kFloor, kCeil };

    // Longer axes are not looked at place by place while planning.
    static constexpr int64_t kMaxPlanned = int64_t{1} << 26;

    Mode mode = kNearest;
    Transform transform = kHalfPixel;
    Rounding rounding = kPreferFloor;
    bool antialias = false, exclude_outside = false;
    double cubic_a = -0.75;
    ResizeAxis axes[kMaxRank];
    Shape to;

    // Nothing happens along axis `a`.
    bool is_still(int a) const {
        return axes[a].from == axes[a].to && axes[a].scale == 1 && transform != kCropAndResize;
    }

    // False when the output shape depends on values not known here.
    Result<bool> set(const MoveContext& m) {
        const NodeContext& c = m.node();
        constexpr const char* modes[] = {"nearest", "linear", "cubic"};
        constexpr const char* transforms[] = {"half_pixel",    "half_pixel_symmetric", "pytorch_half_pixel",
                                              "align_corners", "asymmetric",           "tf_crop_and_resize"};
        constexpr const char* roundings[] = {"round_prefer_floor", "round_prefer_ceil", "floor", "ceil"};
        constexpr const char* policies[] = {"stretch", "not_larger", "not_smaller"};
        COFFER_TRY_ASSIGN(const int mode_index, choose(c, "mode", modes));
        COFFER_TRY_ASSIGN(const int transform_index, choose(c, "coordinate_transformation_mode", transforms));
        COFFER_TRY_ASSIGN(const int rounding_index, choose(c, "nearest_mode", roundings));
        COFFER_TRY_ASSIGN(const int policy, choose(c, "keep_aspect_ratio_policy", policies));
        mode = static_cast<Mode>(mode_index);
        transform = static_cast<Transform>(transform_index);
        rounding = static_cast<Rounding>(rounding_index);
        antialias = c.attr_i("antialias") != 0 && mode != kNearest;
        exclude_outside = c.attr_i("exclude_outside") != 0;
        cubic_a = c.attr_f("cubic_coeff_a");

        const Shape& from = m.shape(0);
        const int rank = from.rank();
        COFFER_TRY_ASSIGN(Ints list, m.axes(c.attr_ints("axes"), rank));
        if (!c.has_attr("axes")) {
            for (; list.n < rank; ++list.n) list.v[list.n] = list.n;
        }
        const bool by_scale = m.has_input(2) && m.shape(2).elements() > 0;
        const bool by_size = m.has_input(3) && m.shape(3).elements() > 0;
        if (by_scale == by_size) return m.fail("needs scales or sizes, one of them");
        const size_t which = by_scale ? 2 : 3;
        if (m.shape(which) != Shape{list.n})
            return m.fail("input ", which, " has shape ", m.shape(which), " for ", list.n, " axes");
        if (by_scale && !is_floating(m.dtype(2))) return m.fail("scales are ", m.dtype(2));
        if (by_size && !is_integer(m.dtype(3))) return m.fail("sizes are ", m.dtype(3));
        const TensorView* wanted = m.value(which);
        const TensorView* roi = nullptr;
        if (transform == kCropAndResize) {
            if (!m.has_input(1) || m.shape(1) != Shape{2 * list.n})
                return m.fail("tf_crop_and_resize needs a roi of ", 2 * list.n);
            roi = m.value(1);
        }
        if (!wanted) return false;

        to = from;
        for (int a = 0; a < rank; ++a) axes[a] = {from[a], from[a]};
        double common = 0;
        for (int i = 0; i < list.n; ++i) {
            const int a = static_cast<int>(list[i]);
            ResizeAxis& axis = axes[a];
            if (by_scale) {
                axis.scale = load_double(*wanted, i);
                const double size = std::floor(axis.scale * static_cast<double>(from[a]));
                if (!(axis.scale > 0) || !(size < 0x1p53)) return m.fail("scale ", axis.scale, " on dim ", from[a]);
                axis.to = static_cast<int64_t>(size);
            } else {
                axis.to = load_int(*wanted, i);
                if (axis.to < 0 || (axis.to > 0 && from[a] == 0))
                    return m.fail("size ", axis.to, " on dim ", from[a]);
                axis.scale = from[a] == 0 ? 1 : static_cast<double>(axis.to) / static_cast<double>(from[a]);
                common = i == 0        ? axis.scale
                         : policy == 1 ? std::min(common, axis.scale)
                                       : std::max(common, axis.scale);
            }
            if (roi) {
                axis.roi_begin = load_double(*roi, i);
                axis.roi_end = load_double(*roi, i + list.n);
            }
        }
        for (int i = 0; i < list.n; ++i) {
            const int a = static_cast<int>(list[i]);
            if (by_size && policy != 0) {
                axes[a].scale = common;
                const double size = std::floor(common * static_cast<double>(from[a]) + 0.5);
                if (!(size < 0x1p53)) return m.fail("size on dim ", from[a]);
                axes[a].to = static_cast<int64_t>(size);
            }
            to[a] = axes[a].to;
        }
        return true;
    }

    // Where output place `x` of axis `a` lies on the input's axis; *outside when tf_crop_and_resize extrapolates.
    double source(int a, int64_t place, bool* outside) const {
        const ResizeAxis& s = axes[a];
        const auto x = static_cast<double>(place), from = static_cast<double>(s.from);
        const double size = s.scale * from;  // not rounded
        switch (transform) {
            case kAlignCorners: return size == 1 ? 0 : x * (from - 1) / (size - 1);
            case kAsymmetric: return x / s.scale;
            case kPytorch: return size == 1 ? -0.5 : (x + 0.5) / s.scale - 0.5;
            case kHalfPixelSymmetric:
                return from / 2 * (1 - static_cast<double>(s.to) / size) + (x + 0.5) / s.scale - 0.5;
            case kCropAndResize: {
                const double width = (s.roi_end - s.roi_begin) * (from - 1);
                const double at = s.roi_begin * (from - 1) + (size == 1 ? width / 2 : x * width / (size - 1));
                *outside = *outside || !(at >= 0 && at <= from - 1);
                return at;
            }
            default: return (x + 0.5) / s.scale - 0.5;
        }
    }
    int64_t nearest(int a, double x) const {
        const double low = std::floor(x), part = x - low;
        const bool up = part != 0 && (rounding == kPreferFloor  ? part > 0.5
                                      : rounding == kPreferCeil ? part >= 0.5
                                                                : rounding == kCeil);
        return clamp_index(a, low + up);
    }
    // Taps of one output place: at most taps(a); every index lies on the axis.
    int64_t taps(int a) const { return 2 * half_width(a); }
    void weigh(int a, double x, int64_t* index, double* weight) const {
        const int64_t half = half_width(a);
        const double s = antialias ? std::min(axes[a].scale, 1.0) : 1.0;
        const double base = std::ceil(x) - 1;  // the tap left of x, also when x is whole
        double sum = 0;
        for (int64_t t = 0; t < 2 * half; ++t) {
            const double at = base + static_cast<double>(t + 1 - half);
            const bool inside = at >= 0 && at < static_cast<double>(axes[a].from);
            index[t] = clamp_index(a, at);
            weight[t] = exclude_outside && !inside ? 0 : kernel((at - x) * s);
            sum += weight[t];
        }
        if ((antialias || exclude_outside) && sum != 0) {
            for (int64_t t = 0; t < 2 * half; ++t) weight[t] /= sum;
        }
    }

 private:
    template <size_t N>
    static Result<int> choose(const NodeContext& c, const char* attr, const char* const (&names)[N]) {
        const std::string_view given = c.attr_s(attr);
        for (size_t i = 0; i < N; ++i) {
            if (given == names[i]) return static_cast<int>(i);
        }
        return c.fail(attr, " '", given, "'");
    }
    int64_t half_width(int a) const {
        const double radius = mode == kCubic ? 2 : 1;
        const double s = antialias ? std::min(axes[a].scale, 1.0) : 1.0;
        // A support wider than the axis and back adds nothing but clamped edges.
        const double widest = std::max(radius, 2.0 * static_cast<double>(axes[a].from) + 2);
        return static_cast<int64_t>(std::min(std::ceil(radius / s), widest));
    }
    int64_t clamp_index(int a, double at) const {
        const auto last = static_cast<double>(axes[a].from - 1);
        return at > 0 ? static_cast<int64_t>(std::min(at, last)) : 0;
    }
    double kernel(double d) const {
        const double x = std::fabs(d);
        if (mode == kLinear) return std::max(0.0, 1 - x);
        if (x <= 1) return ((cubic_a + 2) * x - (cubic_a + 3)) * x * x + 1;
        return x < 2 ? ((cubic_a * x - 5 * cubic_a) * x + 8 * cubic_a) * x - 4 * cubic_a : 0;
    }
};

}  // namespace coffer::ops
