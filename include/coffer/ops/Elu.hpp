// x, or alpha (e^x - 1) below zero. https://onnx.ai/onnx/operators/onnx__Elu.html
#pragma once

#include <cmath>

#include "coffer/ops/family/unary.hpp"

namespace coffer::ops {

struct Elu : UnaryFast<Elu> {
    static constexpr AttrSpec attrs[] = {AttrSpec::f("alpha", 1.0f)};
    static constexpr Facts facts = unary_facts("Elu", 22, attrs);
    struct Params {
        float alpha;
    };
    static Params params(const NodeContext& c) { return {c.attr_f("alpha")}; }

    static double scalar(double x, const Params& p) { return x < 0 ? p.alpha * std::expm1(x) : x; }
    template <class V>
    static V simd(V x, const Params& p) {
        return select(x < V(0.0f), V(p.alpha) * kernels::vexpm1(x), x);
    }
};

}  // namespace coffer::ops
