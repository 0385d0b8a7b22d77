// Logical negation. https://onnx.ai/onnx/operators/onnx__Not.html
#pragma once

#include "coffer/ops/family/unary_predicate.hpp"

namespace coffer::ops {

struct Not : UnaryPredicateFast<Not, kBools, bool> {
    static constexpr Facts facts = predicate_facts("Not", 1);

    static bool test(double x, const NodeContext&) { return x == 0; }
    template <class T>
    static bool logic(T x) {
        return !x;
    }
};

}  // namespace coffer::ops
