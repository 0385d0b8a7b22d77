// A sequence without items. https://onnx.ai/onnx/operators/onnx__SequenceEmpty.html
#pragma once

#include "coffer/ops/family/sequence.hpp"

namespace coffer::ops {

struct SequenceEmpty {
    static constexpr AttrSpec attrs[] = {AttrSpec::optional("dtype", AttrSpec::kInt)};
    static constexpr Facts facts{.domain = "",
                                 .name = "SequenceEmpty",
                                 .since = 11,
                                 .min_inputs = 0,
                                 .max_inputs = 0,
                                 .min_outputs = 1,
                                 .max_outputs = 1,
                                 .attrs = attrs,
                                 .atol = 0,
                                 .rtol = 0};

    static Status infer(InferContext& c) {
        COFFER_TRY_ASSIGN(const DType dtype, dtype_attr(c, "dtype", DType::kFloat));
        c.set_kind(0, ValueKind::kSequence, dtype);
        return {};
    }
    static Status reference(RunContext& c) {
        COFFER_TRY_ASSIGN(const DType dtype, dtype_attr(c, "dtype", DType::kFloat));
        return c.set_output_value(0, make_sequence(dtype, {}));
    }
};

}  // namespace coffer::ops
