// Replaces one value (NaN included) by another, one for all features or one a feature (the last axis).
// https://onnx.ai/onnx/operators/onnx_aionnxml_Imputer.html
#pragma once

#include "coffer/ops/family/ml.hpp"

namespace coffer::ops::ml {

struct Imputer {
    static constexpr AttrSpec kAttrs[] = {AttrSpec::optional("imputed_value_floats", AttrSpec::kFloats),
                                          AttrSpec::optional("imputed_value_int64s", AttrSpec::kInts),
                                          AttrSpec::f("replaced_value_float", 0),
                                          AttrSpec::i("replaced_value_int64", 0)};
    static constexpr Facts facts{.domain = "ai.onnx.ml",
                                 .name = "Imputer",
                                 .since = 1,
                                 .min_inputs = 1,
                                 .max_inputs = 1,
                                 .min_outputs = 1,
                                 .max_outputs = 1,
                                 .attrs = kAttrs};

    static Status infer(InferContext& c) {
        if (!is_ml_number(c.dtype(0))) return c.fail("type ", c.dtype(0));
        if (c.shape(0).rank() < 1) return c.fail("X is a scalar");
        const size_t n = is_floating(c.dtype(0)) ? c.attr_floats("imputed_value_floats").size()
                                                 : c.attr_ints("imputed_value_int64s").size();
        if (n != 1 && n != static_cast<uint64_t>(c.shape(0).back())) {
            return c.fail(n, " imputed values of type ", c.dtype(0), " for ", c.shape(0).back(), " features");
        }
        if (n == 0) return c.fail("has no imputed value of type ", c.dtype(0));
        c.set(0, c.dtype(0), c.shape(0));
        return {};
    }
    static Status reference(RunContext& c) {
        const TensorView &src = c.input(0), &dst = c.output(0);
        const auto floats = c.attr_floats("imputed_value_floats");
        const auto ints = c.attr_ints("imputed_value_int64s");
        const float replaced = c.attr_f("replaced_value_float");
        for (int64_t i = 0; i < dst.elements(); ++i) {
            if (is_floating(src.dtype)) {
                const double x = load_double(src, i);
                const bool missing = x == replaced || (std::isnan(x) && std::isnan(replaced));
                store_double(dst, i, missing ? floats[static_cast<size_t>(i) % floats.size()] : x);
            } else {
                const int64_t x = load_int(src, i);
                const bool missing = x == c.attr_i("replaced_value_int64");
                store_int(dst, i, missing ? ints[static_cast<size_t>(i) % ints.size()] : x);
            }
        }
        return {};
    }
};

}  // namespace coffer::ops::ml
