// Joins the items along an axis, a new one when new_axis is set.
// https://onnx.ai/onnx/operators/onnx__ConcatFromSequence.html
#pragma once

#include "coffer/ops/family/sequence.hpp"

namespace coffer::ops {

struct ConcatFromSequence {
    static constexpr AttrSpec attrs[] = {AttrSpec::must("axis", AttrSpec::kInt), AttrSpec::i("new_axis", 0)};
    static constexpr Facts facts{.domain = "",
                                 .name = "ConcatFromSequence",
                                 .since = 11,
                                 .min_inputs = 1,
                                 .max_inputs = 1,
                                 .min_outputs = 1,
                                 .max_outputs = 1,
                                 .attrs = attrs,
                                 .atol = 0,
                                 .rtol = 0,
                                 .any_kind = true};

    static Status infer(InferContext& c) {
        COFFER_TRY(require_kind(c, 0, ValueKind::kSequence));
        c.set_unknown(0, c.dtype(0));
        return {};
    }
    static Status reference(RunContext& c) {
        const auto& items = c.input_value(0).items;
        if (items.empty()) return c.fail("the sequence is empty");
        const bool stack = c.attr_i("new_axis") != 0;
        const Shape& first = items[0].tensor.shape();
        const int rank = first.rank() + stack;
        int axis = 0;
        if (rank > kMaxRank || !normalize_axis(c.attr_i("axis"), rank, &axis)) {
            return c.fail("axis ", c.attr_i("axis"), " for items ", first);
        }
        int64_t along = 0;
        for (const Value& item : items) {
            const Shape& shape = item.tensor.shape();
            bool fits = item.kind == ValueKind::kTensor && item.tensor.dtype() == items[0].tensor.dtype() &&
                        shape.rank() == first.rank();
            for (int a = 0; fits && a < first.rank(); ++a) fits = shape[a] == first[a] || (a == axis && !stack);
            if (!fits) return c.fail("item ", shape, " does not fit ", first);
            if (!checked_add(along, stack ? 1 : shape[axis], &along))
                return c.fail("axis ", axis, " grows too large");
        }
        Shape to;
        for (int a = 0, from = 0; a < rank; ++a) {
            to.push_back(a == axis ? along : first[from]);
            from += !(stack && a == axis);
        }
        COFFER_TRY(c.allocate(0, items[0].tensor.dtype(), to));
        const int64_t outer = to.elements(0, axis), inner = to.elements(axis + 1, rank);
        int64_t at = 0;
        for (const Value& item : items) {
            const int64_t n = stack ? 1 : item.tensor.shape()[axis];
            copy_slab({c.output(0), along, at}, {item.tensor.view(), n, 0}, outer, n, inner);
            at += n;
        }
        return {};
    }
};

}  // namespace coffer::ops
