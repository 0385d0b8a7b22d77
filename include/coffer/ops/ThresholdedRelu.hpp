// x above alpha, else 0. https://onnx.ai/onnx/operators/onnx__ThresholdedRelu.html
#pragma once

#include "coffer/ops/family/unary.hpp"

namespace coffer::ops {

struct ThresholdedRelu : UnaryFast<ThresholdedRelu> {
    static constexpr AttrSpec attrs[] = {AttrSpec::f("alpha", 1.0f)};
    static constexpr Facts facts = exact(unary_facts("ThresholdedRelu", 22, attrs));
    struct Params {
        float alpha;
    };
    static Params params(const NodeContext& c) { return {c.attr_f("alpha")}; }

    static double scalar(double x, const Params& p) { return x > p.alpha ? x : 0; }
    template <class V>
    static V simd(V x, const Params& p) {
        return select(x > V(p.alpha), x, V(0.0f));
    }
};

}  // namespace coffer::ops
