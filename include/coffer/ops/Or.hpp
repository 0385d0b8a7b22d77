// Logical or. https://onnx.ai/onnx/operators/onnx__Or.html
#pragma once

#include "coffer/ops/family/compare.hpp"

namespace coffer::ops {

struct Or : Compare<Or, kBools, bool> {
    static constexpr Facts facts = compare_facts("Or", 7);

    template <class T>
    static bool apply(T a, T b) {
        return (a != 0) | (b != 0);
    }
};

}  // namespace coffer::ops
