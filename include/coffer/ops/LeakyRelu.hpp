// x, or alpha x below zero. https://onnx.ai/onnx/operators/onnx__LeakyRelu.html
#pragma once

#include "coffer/ops/family/unary.hpp"

namespace coffer::ops {

struct LeakyRelu : UnaryFast<LeakyRelu> {
    static constexpr AttrSpec attrs[] = {AttrSpec::f("alpha", 0.01f)};
    static constexpr Facts facts = unary_facts("LeakyRelu", 16, attrs);
    struct Params {
        float alpha;
    };
    static Params params(const NodeContext& c) { return {c.attr_f("alpha")}; }

    static double scalar(double x, const Params& p) { return x < 0 ? double{p.alpha} * x : x; }
    template <class V>
    static V simd(V x, const Params& p) {
        return select(x < V(0.0f), V(p.alpha) * x, x);
    }
};

}  // namespace coffer::ops
