// The number of items as an int64 scalar. https://onnx.ai/onnx/operators/onnx__SequenceLength.html
#pragma once

#include "coffer/ops/family/sequence.hpp"

namespace coffer::ops {

struct SequenceLength {
    static constexpr Facts facts{.domain = "",
                                 .name = "SequenceLength",
                                 .since = 11,
                                 .min_inputs = 1,
                                 .max_inputs = 1,
                                 .min_outputs = 1,
                                 .max_outputs = 1,
                                 .atol = 0,
                                 .rtol = 0,
                                 .any_kind = true};

    static Status infer(InferContext& c) {
        COFFER_TRY(require_kind(c, 0, ValueKind::kSequence));
        c.set(0, DType::kInt64, Shape{});
        return {};
    }
    static Status reference(RunContext& c) {
        *c.output(0).as<int64_t>() = static_cast<int64_t>(c.input_value(0).items.size());
        return {};
    }
};

}  // namespace coffer::ops
