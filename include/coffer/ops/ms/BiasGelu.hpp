// GELU of A + B, B being one value per element of the last axis.
#pragma once

#include "coffer/ops/family/binary_gelu.hpp"

namespace coffer::ops::ms {

struct BiasGelu : BiasedGelu<BiasGelu> {
    static constexpr Facts facts{.domain = "com.microsoft",
                                 .name = "BiasGelu",
                                 .since = 1,
                                 .min_inputs = 2,
                                 .max_inputs = 2,
                                 .min_outputs = 1,
                                 .max_outputs = 1,
                                 .layout = LayoutRule::kElementwise,
                                 .inplace_input = 0};

    static double scalar(double x) { return gelu::exact(x); }
    template <class V>
    static V simd(V a, V b) {
        return gelu::exact(a + b);
    }
};

}  // namespace coffer::ops::ms
