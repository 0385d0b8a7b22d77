// a > b; false for NaN. https://onnx.ai/onnx/operators/onnx__Greater.html
#pragma once

#include "coffer/ops/family/compare.hpp"

namespace coffer::ops {

struct Greater : Compare<Greater, kNumbers, float, int32_t, int64_t> {
    static constexpr Facts facts = compare_facts("Greater", 13);

    template <class T>
    static bool apply(T a, T b) {
        return a > b;
    }
};

}  // namespace coffer::ops
