// The item at a position. https://onnx.ai/onnx/operators/onnx__SequenceAt.html
#pragma once

#include "coffer/ops/family/sequence.hpp"

namespace coffer::ops {

struct SequenceAt {
    static constexpr Facts facts{.domain = "",
                                 .name = "SequenceAt",
                                 .since = 11,
                                 .min_inputs = 2,
                                 .max_inputs = 2,
                                 .min_outputs = 1,
                                 .max_outputs = 1,
                                 .atol = 0,
                                 .rtol = 0,
                                 .any_kind = true};

    static Status infer(InferContext& c) {
        COFFER_TRY(require_kind(c, 0, ValueKind::kSequence));
        COFFER_TRY(require_position(c, 1));
        c.set_unknown(0, c.dtype(0));
        return {};
    }
    static Status reference(RunContext& c) {
        const auto& items = c.input_value(0).items;
        COFFER_TRY_ASSIGN(const size_t at, position_at(c, 1, items.size(), false));
        return c.set_output_value(0, items[at]);
    }
};

}  // namespace coffer::ops
