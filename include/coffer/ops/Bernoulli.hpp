// 1 with the probability given by each element of the input, else 0.
// https://onnx.ai/onnx/operators/onnx__Bernoulli.html
#pragma once

#include "coffer/ops/family/random.hpp"

namespace coffer::ops {

struct Bernoulli : MoveOp<Bernoulli> {
    static constexpr AttrSpec attrs[] = {AttrSpec::optional("dtype", AttrSpec::kInt),
                                         AttrSpec::optional("seed", AttrSpec::kFloat)};
    static constexpr Facts facts{.domain = "",
                                 .name = "Bernoulli",
                                 .since = 22,
                                 .min_inputs = 1,
                                 .max_inputs = 1,
                                 .min_outputs = 1,
                                 .max_outputs = 1,
                                 .attrs = attrs,
                                 .deterministic = false};

    static Status move(MoveContext& m) {
        COFFER_TRY_ASSIGN(const DType dtype, dtype_attr(m.node(), "dtype", m.dtype(0)));
        if (!is_floating(m.dtype(0))) return m.fail("type ", m.dtype(0));
        if (!is_floating(dtype) && !is_integer(dtype) && dtype != DType::kBool) return m.fail("type ", dtype);
        COFFER_TRY(m.output(0, dtype, m.shape(0)));
        if (!m.running()) return {};
        Random random(m.node());
        for (int64_t i = 0; i < m.shape(0).elements(); ++i) {
            store_double(m.result(0), i, random.uniform() < load_double(*m.value(0), i));
        }
        return {};
    }
};

}  // namespace coffer::ops
