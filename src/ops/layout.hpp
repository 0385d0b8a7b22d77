// The memory order of a channels-last value; shared by the ops' contexts and the planner.
#pragma once

#include "coffer/base/shape.hpp"

namespace coffer::ops {

// (N, C, spatial...) -> (N, spatial..., C); rank >= 2.
inline Shape channels_last(const Shape& shape) {
    Shape s;
    s.push_back(shape[0]);
    for (int i = 2; i < shape.rank(); ++i) s.push_back(shape[i]);
    s.push_back(shape[1]);
    return s;
}

}  // namespace coffer::ops
