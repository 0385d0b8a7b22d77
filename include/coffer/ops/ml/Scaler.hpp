// (x - offset) * scale, each for all features or one a feature (the last axis).
// https://onnx.ai/onnx/operators/onnx_aionnxml_Scaler.html
#pragma once

#include "coffer/ops/family/ml.hpp"

namespace coffer::ops::ml {

struct Scaler {
    static constexpr AttrSpec kAttrs[] = {AttrSpec::optional("offset", AttrSpec::kFloats),
                                          AttrSpec::optional("scale", AttrSpec::kFloats)};
    static constexpr Facts facts{.domain = "ai.onnx.ml",
                                 .name = "Scaler",
                                 .since = 1,
                                 .min_inputs = 1,
                                 .max_inputs = 1,
                                 .min_outputs = 1,
                                 .max_outputs = 1,
                                 .attrs = kAttrs};

    static Status infer(InferContext& c) {
        if (!is_ml_number(c.dtype(0))) return c.fail("type ", c.dtype(0));
        if (c.shape(0).rank() < 1) return c.fail("X is a scalar");
        for (const char* name : {"offset", "scale"}) {
            const size_t n = c.attr_floats(name).size();
            if (n > 1 && n != static_cast<uint64_t>(c.shape(0).back())) {
                return c.fail(name, " has ", n, " values for ", c.shape(0).back(), " features");
            }
        }
        c.set(0, DType::kFloat, c.shape(0));
        return {};
    }
    static Status reference(RunContext& c) {
        const auto offset = c.attr_floats("offset"), scale = c.attr_floats("scale");
        const auto pick = [&](std::span<const float> list, int64_t i, double none) {
            return list.empty() ? none : double{list[static_cast<size_t>(i) % list.size()]};
        };
        for (int64_t i = 0; i < c.output(0).elements(); ++i) {
            store_double(c.output(0), i, (load_double(c.input(0), i) - pick(offset, i, 0)) * pick(scale, i, 1));
        }
        return {};
    }
};

}  // namespace coffer::ops::ml
