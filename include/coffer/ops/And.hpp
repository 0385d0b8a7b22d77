// Logical and. https://onnx.ai/onnx/operators/onnx__And.html
#pragma once

#include "coffer/ops/family/compare.hpp"

namespace coffer::ops {

struct And : Compare<And, kBools, bool> {
    static constexpr Facts facts = compare_facts("And", 7);

    template <class T>
    static bool apply(T a, T b) {
        return (a != 0) & (b != 0);
    }
};

}  // namespace coffer::ops
