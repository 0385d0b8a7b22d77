// GELU by tanh of X + bias, the bias being optional and one value per element of the last axis.
#pragma once

#include "coffer/ops/family/binary_gelu.hpp"

namespace coffer::ops::ms {

struct FastGelu : BiasedGelu<FastGelu> {
    static constexpr Facts facts{.domain = "com.microsoft",
                                 .name = "FastGelu",
                                 .since = 1,
                                 .min_inputs = 1,
                                 .max_inputs = 2,
                                 .min_outputs = 1,
                                 .max_outputs = 1,
                                 .layout = LayoutRule::kElementwise,
                                 .inplace_input = 0};

    static double scalar(double x) { return gelu::by_tanh(x); }
    template <class V>
    static V simd(V a, V b) {
        return gelu::by_tanh(a + b);
    }
};

}  // namespace coffer::ops::ms
