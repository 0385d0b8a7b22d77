// What every sliding window is held to, so that the positions it reaches can be computed without further checks.
#pragma once

#include <algorithm>

#include "coffer/ops/op.hpp"

namespace coffer::ops {

// No window reaches further beyond its input.
inline constexpr int64_t kMostPadding = int64_t{1} << 24;

// `axis` has kernel, stride, dilation, pad_begin and pad_end and moves over `size` elements between the pads. A step
// that is never taken may be anything in the model; here it does not leave the padded input either.
template <class Axis>
Status settle_axis(const NodeContext& c, Axis* axis, int64_t size) {
    if (axis->pad_begin > kMostPadding || axis->pad_end > kMostPadding) {
        return c.fail("pads ", axis->pad_begin, " and ", axis->pad_end, " are too large");
    }
    if (axis->kernel == 1) axis->dilation = 1;
    axis->stride = std::min(axis->stride, std::max<int64_t>(1, size + axis->pad_begin + axis->pad_end));
    return {};
}

// Windows that lie on padding alone, beside an axis without elements, have no meaning.
inline Status check_windowed(const NodeContext& c, const Shape& x, const Shape& y) {
    if (x.elements() == 0 && y.elements() != 0) return c.fail("input ", x, " has no elements for output ", y);
    return {};
}

}  // namespace coffer::ops
