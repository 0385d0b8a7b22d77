// max(0, x) + min(0, alpha (e^(x / alpha) - 1)). https://onnx.ai/onnx/operators/onnx__Celu.html
#pragma once

#include <cmath>

#include "coffer/ops/family/unary.hpp"

namespace coffer::ops {

struct Celu : UnaryFast<Celu> {
    static constexpr AttrSpec attrs[] = {AttrSpec::f("alpha", 1.0f)};
    static constexpr Facts facts = unary_facts("Celu", 28, attrs);
    struct Params {
        float alpha;
    };
    static Params params(const NodeContext& c) { return {c.attr_f("alpha")}; }

    static double scalar(double x, const Params& p) { return x > 0 ? x : p.alpha * std::expm1(x / p.alpha); }
    template <class V>
    static V simd(V x, const Params& p) {
        return select(x > V(0.0f), x, V(p.alpha) * kernels::vexpm1(x / V(p.alpha)));
    }
};

}  // namespace coffer::ops
