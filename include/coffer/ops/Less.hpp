// a < b; false for NaN. https://onnx.ai/onnx/operators/onnx__Less.html
#pragma once

#include "coffer/ops/family/compare.hpp"

namespace coffer::ops {

struct Less : Compare<Less, kNumbers, float, int32_t, int64_t> {
    static constexpr Facts facts = compare_facts("Less", 13);

    template <class T>
    static bool apply(T a, T b) {
        return a < b;
    }
};

}  // namespace coffer::ops
