// The indices of the elements that are not zero, one column each. https://onnx.ai/onnx/operators/onnx__NonZero.html
#pragma once

#include "coffer/ops/family/move.hpp"

namespace coffer::ops {

struct NonZero {
    static constexpr Facts facts{.domain = "",
                                 .name = "NonZero",
                                 .since = 13,
                                 .min_inputs = 1,
                                 .max_inputs = 1,
                                 .min_outputs = 1,
                                 .max_outputs = 1,
                                 .atol = 0,
                                 .rtol = 0};

    static Status infer(InferContext& c) {
        c.set_unknown(0, DType::kInt64);
        return {};
    }
    static Status reference(RunContext& c) {
        const TensorView& x = c.input(0);
        const int64_t n = x.elements();
        int64_t count = 0;
        for (int64_t i = 0; i < n; ++i) count += set_at(x, i);
        const int rank = x.shape.rank();
        COFFER_TRY(c.allocate(0, DType::kInt64, Shape{rank, count}));
        auto* out = c.output(0).as<int64_t>();
        for (int64_t i = 0, column = 0; i < n; ++i) {
            if (!set_at(x, i)) continue;
            int64_t rest = i;
            for (int a = rank - 1; a >= 0; --a) {
                out[a * count + column] = rest % x.shape[a];
                rest /= x.shape[a];
            }
            ++column;
        }
        return {};
    }

 private:
    static bool set_at(const TensorView& x, int64_t i) {
        if (x.dtype == DType::kString) return !x.as<const PrivateString>()[i].empty();
        if (x.dtype == DType::kComplex64)
            return x.as<const float>()[2 * i] != 0 || x.as<const float>()[2 * i + 1] != 0;
        if (x.dtype == DType::kComplex128)
            return x.as<const double>()[2 * i] != 0 || x.as<const double>()[2 * i + 1] != 0;
        return is_floating(x.dtype) ? load_double(x, i) != 0 : load_int(x, i) != 0;
    }
};

}  // namespace coffer::ops
