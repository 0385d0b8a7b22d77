// gamma x, or gamma alpha (e^x - 1) below zero. https://onnx.ai/onnx/operators/onnx__Selu.html
#pragma once

#include <cmath>

#include "coffer/ops/family/unary.hpp"

namespace coffer::ops {

struct Selu : UnaryFast<Selu> {
    static constexpr AttrSpec attrs[] = {AttrSpec::f("alpha", 1.67326319217681884765625f),
                                         AttrSpec::f("gamma", 1.05070102214813232421875f)};
    static constexpr Facts facts = unary_facts("Selu", 22, attrs);
    struct Params {
        float alpha, gamma;
    };
    static Params params(const NodeContext& c) { return {c.attr_f("alpha"), c.attr_f("gamma")}; }

    static double scalar(double x, const Params& p) { return p.gamma * (x > 0 ? x : p.alpha * std::expm1(x)); }
    template <class V>
    static V simd(V x, const Params& p) {
        return V(p.gamma) * select(x > V(0.0f), x, V(p.alpha) * kernels::vexpm1(x));
    }
};

}  // namespace coffer::ops
