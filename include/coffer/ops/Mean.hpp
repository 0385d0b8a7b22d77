// Mean of all inputs. https://onnx.ai/onnx/operators/onnx__Mean.html
#pragma once

#include "coffer/ops/family/binary_variadic.hpp"

namespace coffer::ops {

struct Mean : Variadic<Mean, kFloats> {
    static constexpr Facts facts = variadic_facts("Mean", 13);

    static double combine(double a, double b) { return a + b; }
    static Status reference(RunContext& c) {
        variadic_doubles(c, &combine, static_cast<double>(c.input_count()));
        return {};
    }
};

}  // namespace coffer::ops
