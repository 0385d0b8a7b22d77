// The sequence with a tensor inserted before a position, or at the end.
// https://onnx.ai/onnx/operators/onnx__SequenceInsert.html
#pragma once

#include "coffer/ops/family/sequence.hpp"

namespace coffer::ops {

struct SequenceInsert {
    static constexpr Facts facts{.domain = "",
                                 .name = "SequenceInsert",
                                 .since = 11,
                                 .min_inputs = 2,
                                 .max_inputs = 3,
                                 .min_outputs = 1,
                                 .max_outputs = 1,
                                 .atol = 0,
                                 .rtol = 0,
                                 .any_kind = true};

    static Status infer(InferContext& c) {
        COFFER_TRY(require_kind(c, 0, ValueKind::kSequence));
        COFFER_TRY(require_kind(c, 1, ValueKind::kTensor));
        if (c.has_input(2)) COFFER_TRY(require_position(c, 2));
        // An empty sequence from outside may not say of what.
        const bool known = c.dtype(0) != DType::kUndefined && c.dtype(1) != DType::kUndefined;
        if (known && c.dtype(1) != c.dtype(0))
            return c.fail("a tensor of ", c.dtype(1), " in a sequence of ", c.dtype(0));
        c.set_kind(0, ValueKind::kSequence, known ? c.dtype(0) : c.dtype(1));
        return {};
    }
    static Status reference(RunContext& c) {
        const Value& from = c.input_value(0);
        size_t at = from.items.size();
        if (c.has_input(2)) {
            COFFER_TRY_ASSIGN(at, position_at(c, 2, from.items.size(), true));
        }
        std::vector<Value> items;
        items.reserve(from.items.size() + 1);
        items.insert(items.end(), from.items.begin(), from.items.begin() + static_cast<ptrdiff_t>(at));
        items.push_back(c.input_value(1));
        items.insert(items.end(), from.items.begin() + static_cast<ptrdiff_t>(at), from.items.end());
        return c.set_output_value(0, make_sequence(from.dtype, std::move(items)));
    }
};

}  // namespace coffer::ops
