// The sequence without the item at a position (the last one by default).
// https://onnx.ai/onnx/operators/onnx__SequenceErase.html
#pragma once

#include "coffer/ops/family/sequence.hpp"

namespace coffer::ops {

struct SequenceErase {
    static constexpr Facts facts{.domain = "",
                                 .name = "SequenceErase",
                                 .since = 11,
                                 .min_inputs = 1,
                                 .max_inputs = 2,
                                 .min_outputs = 1,
                                 .max_outputs = 1,
                                 .atol = 0,
                                 .rtol = 0,
                                 .any_kind = true};

    static Status infer(InferContext& c) {
        COFFER_TRY(require_kind(c, 0, ValueKind::kSequence));
        if (c.has_input(1)) COFFER_TRY(require_position(c, 1));
        c.set_kind(0, ValueKind::kSequence, c.dtype(0));
        return {};
    }
    static Status reference(RunContext& c) {
        const Value& from = c.input_value(0);
        if (from.items.empty()) return c.fail("the sequence is empty");
        size_t at = from.items.size() - 1;
        if (c.has_input(1)) {
            COFFER_TRY_ASSIGN(at, position_at(c, 1, from.items.size(), false));
        }
        std::vector<Value> items = from.items;
        items.erase(items.begin() + static_cast<ptrdiff_t>(at));
        return c.set_output_value(0, make_sequence(from.dtype, std::move(items)));
    }
};

}  // namespace coffer::ops
