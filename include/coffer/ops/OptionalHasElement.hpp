// Whether an optional holds something; false without an input.
// https://onnx.ai/onnx/operators/onnx__OptionalHasElement.html
#pragma once

#include "coffer/ops/family/sequence.hpp"

namespace coffer::ops {

struct OptionalHasElement {
    static constexpr Facts facts{.domain = "",
                                 .name = "OptionalHasElement",
                                 .since = 28,
                                 .min_inputs = 0,
                                 .max_inputs = 1,
                                 .min_outputs = 1,
                                 .max_outputs = 1,
                                 .atol = 0,
                                 .rtol = 0,
                                 .any_kind = true};

    static Status infer(InferContext& c) {
        c.set(0, DType::kBool, Shape{});
        return {};
    }
    static Status reference(RunContext& c) {
        const bool has =
            c.has_input(0) && (c.input_value(0).kind != ValueKind::kOptional || !c.input_value(0).items.empty());
        *c.output(0).as<uint8_t>() = has;
        return {};
    }
};

}  // namespace coffer::ops
