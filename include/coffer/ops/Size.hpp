// The number of elements as an int64 scalar. https://onnx.ai/onnx/operators/onnx__Size.html
#pragma once

#include "coffer/ops/family/move.hpp"

namespace coffer::ops {

struct Size {
    static constexpr Facts facts{.domain = "",
                                 .name = "Size",
                                 .since = 25,
                                 .min_inputs = 1,
                                 .max_inputs = 1,
                                 .min_outputs = 1,
                                 .max_outputs = 1,
                                 .atol = 0,
                                 .rtol = 0,
                                 .type_only = true};

    static Status infer(InferContext& c) {
        c.set(0, DType::kInt64, Shape{});
        return {};
    }
    static Status reference(RunContext& c) {
        *c.output(0).as<int64_t>() = c.input(0).elements();
        return {};
    }
};

}  // namespace coffer::ops
