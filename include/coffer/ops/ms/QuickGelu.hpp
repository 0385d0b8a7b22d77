// x sigmoid(alpha x).
#pragma once

#include <cmath>

#include "coffer/ops/family/unary.hpp"

namespace coffer::ops::ms {

struct QuickGelu : UnaryFast<QuickGelu> {
    static constexpr AttrSpec attrs[] = {AttrSpec::f("alpha", 1.702f)};
    static constexpr Facts facts = unary_facts("QuickGelu", 1, attrs, "com.microsoft");
    struct Params {
        float alpha;
    };
    static Params params(const NodeContext& c) { return {c.attr_f("alpha")}; }

    static double scalar(double x, const Params& p) { return x / (1 + std::exp(-double{p.alpha} * x)); }
    template <class V>
    static V simd(V x, const Params& p) {
        return x * kernels::vsigmoid(V(p.alpha) * x);
    }
};

}  // namespace coffer::ops::ms
