// An optional holding the input, or an empty one. https://onnx.ai/onnx/operators/onnx__Optional.html
// The importer writes the element type of an empty optional (ONNX: a type) as the int attribute "dtype".
#pragma once

#include "coffer/ops/family/sequence.hpp"

namespace coffer::ops {

struct Optional {
    static constexpr AttrSpec attrs[] = {AttrSpec::optional("dtype", AttrSpec::kInt)};
    static constexpr Facts facts{.domain = "",
                                 .name = "Optional",
                                 .since = 28,
                                 .min_inputs = 0,
                                 .max_inputs = 1,
                                 .min_outputs = 1,
                                 .max_outputs = 1,
                                 .attrs = attrs,
                                 .atol = 0,
                                 .rtol = 0,
                                 .any_kind = true};

    static Status infer(InferContext& c) {
        if (c.has_input(0) && c.input(0).kind == ValueKind::kOptional) return c.fail("an optional of an optional");
        COFFER_TRY_ASSIGN(const DType dtype, dtype_attr(c, "dtype", c.has_input(0) ? c.dtype(0) : DType::kFloat));
        if (c.has_input(0) && dtype != c.dtype(0)) return c.fail("input is ", c.dtype(0), ", dtype says ", dtype);
        c.set_kind(0, ValueKind::kOptional, dtype);
        return {};
    }
    static Status reference(RunContext& c) {
        Value v;
        v.kind = ValueKind::kOptional;
        COFFER_TRY_ASSIGN(v.dtype, dtype_attr(c, "dtype", c.has_input(0) ? c.input_value(0).dtype : DType::kFloat));
        if (c.has_input(0)) v.items.push_back(c.input_value(0));
        return c.set_output_value(0, std::move(v));
    }
};

}  // namespace coffer::ops
