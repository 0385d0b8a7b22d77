// Logical xor. https://onnx.ai/onnx/operators/onnx__Xor.html
#pragma once

#include "coffer/ops/family/compare.hpp"

namespace coffer::ops {

struct Xor : Compare<Xor, kBools, bool> {
    static constexpr Facts facts = compare_facts("Xor", 7);

    template <class T>
    static bool apply(T a, T b) {
        return (a != 0) ^ (b != 0);
    }
};

}  // namespace coffer::ops
