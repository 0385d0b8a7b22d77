// True for the infinities asked for. https://onnx.ai/onnx/operators/onnx__IsInf.html
#pragma once

#include <cmath>

#include "coffer/ops/family/unary_predicate.hpp"

namespace coffer::ops {

struct IsInf : UnaryPredicate<IsInf, kFloats | kFloat8s> {
    static constexpr AttrSpec attrs[] = {AttrSpec::i("detect_negative", 1), AttrSpec::i("detect_positive", 1)};
    static constexpr Facts facts = predicate_facts("IsInf", 20, attrs);

    static bool test(double x, const NodeContext& c) {
        return std::isinf(x) && c.attr_i(x < 0 ? "detect_negative" : "detect_positive") != 0;
    }
};

}  // namespace coffer::ops
