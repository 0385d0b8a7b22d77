// What an optional holds; a tensor or sequence passes through.
// https://onnx.ai/onnx/operators/onnx__OptionalGetElement.html
#pragma once

#include "coffer/ops/family/sequence.hpp"

namespace coffer::ops {

struct OptionalGetElement {
    static constexpr Facts facts{.domain = "",
                                 .name = "OptionalGetElement",
                                 .since = 28,
                                 .min_inputs = 1,
                                 .max_inputs = 1,
                                 .min_outputs = 1,
                                 .max_outputs = 1,
                                 .atol = 0,
                                 .rtol = 0,
                                 .any_kind = true};

    static Status infer(InferContext& c) {
        switch (c.input(0).kind) {
            case ValueKind::kTensor: c.set(0, c.dtype(0), c.shape(0)); break;
            case ValueKind::kSequence: c.set_kind(0, ValueKind::kSequence, c.dtype(0)); break;
            case ValueKind::kOptional: c.set_unknown(0, c.dtype(0)); break;  // or a sequence: only the value tells
        }
        return {};
    }
    static Status reference(RunContext& c) {
        const Value& v = c.input_value(0);
        if (v.kind == ValueKind::kTensor) {
            copy_elements(c.output(0), 0, 1, c.input(0), 0, 1, c.input(0).elements());
            return {};
        }
        if (v.kind == ValueKind::kSequence) return c.set_output_value(0, v);
        if (v.items.empty()) return c.fail("the optional is empty");
        return c.set_output_value(0, v.items[0]);
    }
};

}  // namespace coffer::ops
