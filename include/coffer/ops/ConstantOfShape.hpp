// A tensor of the given shape filled with `value` (float 0 by default).
// https://onnx.ai/onnx/operators/onnx__ConstantOfShape.html
#pragma once

#include "coffer/ops/family/move.hpp"

namespace coffer::ops {

struct ConstantOfShape : MoveOp<ConstantOfShape> {
    static constexpr AttrSpec attrs[] = {AttrSpec::optional("value", AttrSpec::kTensor)};
    static constexpr Facts facts{.domain = "",
                                 .name = "ConstantOfShape",
                                 .since = 25,
                                 .min_inputs = 1,
                                 .max_inputs = 1,
                                 .min_outputs = 1,
                                 .max_outputs = 1,
                                 .attrs = attrs,
                                 .atol = 0,
                                 .rtol = 0};

    static Status move(MoveContext& m) {
        const Tensor* value = m.node().attr_tensor("value");
        if (value && value->elements() != 1) return m.fail("value has shape ", value->shape(), ", not one element");
        Ints given;
        COFFER_TRY_ASSIGN(const bool known, m.ints(0, &given));
        const DType dtype = value ? value->dtype() : DType::kFloat;
        if (!known) return m.unknown(0, dtype);
        Shape to;
        if (!Shape::from(given.span(), &to)) return m.fail("not a shape: ", given.n, " dims, or a negative one");
        COFFER_TRY(m.output(0, dtype, to));
        if (m.running()) fill_elements(m.result(0), 0, to.elements(), value ? value->view() : zero_element(dtype));
        return {};
    }
};

}  // namespace coffer::ops
