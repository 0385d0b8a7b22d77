// Joins strings pairwise, with broadcasting. https://onnx.ai/onnx/operators/onnx__StringConcat.html
#pragma once

#include "coffer/ops/family/move.hpp"

namespace coffer::ops {

struct StringConcat : MoveOp<StringConcat> {
    static constexpr Facts facts{.domain = "",
                                 .name = "StringConcat",
                                 .since = 20,
                                 .min_inputs = 2,
                                 .max_inputs = 2,
                                 .min_outputs = 1,
                                 .max_outputs = 1};

    static Status move(MoveContext& m) {
        if (m.dtype(0) != DType::kString || m.dtype(1) != DType::kString)
            return m.fail("types ", m.dtype(0), " and ", m.dtype(1));
        Shape to;
        if (!broadcast(m.shape(0), m.shape(1), &to))
            return m.fail("cannot broadcast ", m.shape(0), " and ", m.shape(1));
        COFFER_TRY(m.output(0, DType::kString, to));
        if (!m.running()) return {};
        Strides step[2];
        for (size_t k = 0; k < 2; ++k) {
            const Shape& from = m.shape(k);
            const Strides s = strides_of(from);
            for (int a = 0; a < to.rank(); ++a) {
                const int own = a - (to.rank() - from.rank());
                step[k][size_t(a)] = own < 0 || from[own] == 1 ? 0 : s[size_t(own)];
            }
        }
        const int64_t n = to.elements();
        for (int64_t i = 0; i < n; ++i) {
            int64_t rest = i, at[2] = {};
            for (int a = to.rank() - 1; a >= 0; --a) {
                for (size_t k = 0; k < 2; ++k) at[k] += rest % to[a] * step[k][size_t(a)];
                rest /= to[a];
            }
            m.result(0).as<PrivateString>()[i] =
                m.value(0)->as<PrivateString>()[at[0]] + m.value(1)->as<PrivateString>()[at[1]];
        }
        return {};
    }
};

}  // namespace coffer::ops
