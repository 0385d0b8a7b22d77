// Cuts a tensor along an axis into a sequence: into slices of 1 (dropping the axis when keepdims is 0), into
// chunks of one size, or by a list of sizes. https://onnx.ai/onnx/operators/onnx__SplitToSequence.html
#pragma once

#include "coffer/ops/family/sequence.hpp"

namespace coffer::ops {

struct SplitToSequence {
    static constexpr AttrSpec attrs[] = {AttrSpec::i("axis", 0), AttrSpec::i("keepdims", 1)};
    static constexpr Facts facts{.domain = "",
                                 .name = "SplitToSequence",
                                 .since = 24,
                                 .min_inputs = 1,
                                 .max_inputs = 2,
                                 .min_outputs = 1,
                                 .max_outputs = 1,
                                 .attrs = attrs,
                                 .atol = 0,
                                 .rtol = 0};

    static Status infer(InferContext& c) {
        int axis = 0;
        if (!normalize_axis(c.attr_i("axis"), c.shape(0).rank(), &axis)) {
            return c.fail("axis ", c.attr_i("axis"), " is outside rank ", c.shape(0).rank());
        }
        if (c.has_input(1) && (!is_integer(c.dtype(1)) || c.shape(1).rank() > 1)) {
            return c.fail("split is ", c.dtype(1), " ", c.shape(1));
        }
        c.set_kind(0, ValueKind::kSequence, c.dtype(0));
        return {};
    }
    static Status reference(RunContext& c) {
        const TensorView& x = c.input(0);
        int axis = 0;
        (void)normalize_axis(c.attr_i("axis"), x.shape.rank(), &axis);
        const int64_t dim = x.shape[axis];
        const bool list = c.has_input(1) && c.input(1).shape.rank() == 1;
        const int64_t chunk = c.has_input(1) && !list ? load_int(c.input(1), 0) : 1;
        if (chunk < 1) return c.fail("chunks of ", chunk);
        const int64_t count = list ? c.input(1).elements() : dim / chunk + (dim % chunk != 0);
        const bool drop = !c.has_input(1) && !c.attr_i("keepdims");
        const int64_t outer = x.shape.elements(0, axis), inner = x.shape.elements(axis + 1, x.shape.rank());
        std::vector<Value> items;
        int64_t at = 0;
        for (int64_t i = 0; i < count; ++i) {
            const int64_t n = list ? load_int(c.input(1), i) : std::min(chunk, dim - at);
            if (n < 0 || n > dim - at) return c.fail("part ", i, " of ", n, " does not fit the axis of ", dim);
            Shape shape;
            for (int a = 0; a < x.shape.rank(); ++a) {
                if (a != axis || !drop) shape.push_back(a == axis ? n : x.shape[a]);
            }
            COFFER_TRY_ASSIGN(Tensor part, Tensor::create(x.dtype, shape));
            copy_slab({part.view(), n, 0}, {x, dim, at}, outer, n, inner);
            items.emplace_back(std::move(part));
            at += n;
        }
        if (at != dim) return c.fail("the parts cover ", at, " of ", dim);
        return c.set_output_value(0, make_sequence(x.dtype, std::move(items)));
    }
};

}  // namespace coffer::ops
