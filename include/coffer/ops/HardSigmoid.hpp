// alpha x + beta, clamped to [0, 1]. https://onnx.ai/onnx/operators/onnx__HardSigmoid.html
#pragma once

#include "coffer/ops/family/unary.hpp"

namespace coffer::ops {

struct HardSigmoid : UnaryFast<HardSigmoid> {
    static constexpr AttrSpec attrs[] = {AttrSpec::f("alpha", 0.2f), AttrSpec::f("beta", 0.5f)};
    static constexpr Facts facts = unary_facts("HardSigmoid", 22, attrs);
    struct Params {
        float alpha, beta;
    };
    static Params params(const NodeContext& c) { return {c.attr_f("alpha"), c.attr_f("beta")}; }

    static double scalar(double x, const Params& p) {
        const double y = double{p.alpha} * x + p.beta;
        return y < 0 ? 0 : y > 1 ? 1 : y;
    }
    template <class V>
    static V simd(V x, const Params& p) {
        return min(V(1.0f), max(V(0.0f), fma(x, V(p.alpha), V(p.beta))));
    }
};

}  // namespace coffer::ops
