// A sequence of the inputs. https://onnx.ai/onnx/operators/onnx__SequenceConstruct.html
#pragma once

#include "coffer/ops/family/sequence.hpp"

namespace coffer::ops {

struct SequenceConstruct {
    static constexpr Facts facts{.domain = "",
                                 .name = "SequenceConstruct",
                                 .since = 11,
                                 .min_inputs = 1,
                                 .max_inputs = kVariadic,
                                 .min_outputs = 1,
                                 .max_outputs = 1,
                                 .atol = 0,
                                 .rtol = 0};

    static Status infer(InferContext& c) {
        for (size_t i = 0; i < c.input_count(); ++i) {
            if (!c.has_input(i)) return c.fail("input ", i, " is missing");
            if (c.dtype(i) != c.dtype(0)) return c.fail("types differ: ", c.dtype(0), " and ", c.dtype(i));
        }
        c.set_kind(0, ValueKind::kSequence, c.dtype(0));
        return {};
    }
    static Status reference(RunContext& c) {
        std::vector<Value> items;
        for (size_t i = 0; i < c.input_count(); ++i) items.push_back(c.input_value(i));
        return c.set_output_value(0, make_sequence(c.input_value(0).dtype, std::move(items)));
    }
};

}  // namespace coffer::ops
