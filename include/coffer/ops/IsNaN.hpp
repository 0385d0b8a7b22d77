// True for NaN. https://onnx.ai/onnx/operators/onnx__IsNaN.html
#pragma once

#include "coffer/ops/family/unary_predicate.hpp"

namespace coffer::ops {

struct IsNaN : UnaryPredicateFast<IsNaN, kFloats | kFloat8s, float> {
    static constexpr Facts facts = predicate_facts("IsNaN", 20);

    static bool test(double x, const NodeContext&) { return x != x; }
    template <class T>
    static bool logic(T x) {
        return x != x;
    }
};

}  // namespace coffer::ops
