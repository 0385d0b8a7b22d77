// x sigmoid(alpha x), also known as SiLU. https://onnx.ai/onnx/operators/onnx__Swish.html
#pragma once

#include <cmath>

#include "coffer/ops/family/unary.hpp"

namespace coffer::ops {

struct Swish : UnaryFast<Swish> {
    static constexpr AttrSpec attrs[] = {AttrSpec::f("alpha", 1.0f)};
    static constexpr Facts facts = unary_facts("Swish", 24, attrs);
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

}  // namespace coffer::ops
