// x Phi(x), from before ai.onnx had it.
#pragma once

#include "coffer/ops/family/unary_gelu.hpp"

namespace coffer::ops::ms {

struct Gelu : UnaryFast<Gelu> {
    static constexpr Facts facts = unary_facts("Gelu", 1, {}, "com.microsoft");

    static double scalar(double x) { return gelu::exact(x); }
    template <class V>
    static V simd(V x) {
        return gelu::exact(x);
    }
};

}  // namespace coffer::ops::ms
