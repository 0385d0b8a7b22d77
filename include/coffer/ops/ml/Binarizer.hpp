// 1 where x > threshold, else 0. https://onnx.ai/onnx/operators/onnx_aionnxml_Binarizer.html
#pragma once

#include "coffer/ops/family/ml.hpp"

namespace coffer::ops::ml {

struct Binarizer {
    static constexpr AttrSpec kAttrs[] = {AttrSpec::f("threshold", 0)};
    static constexpr Facts facts{.domain = "ai.onnx.ml",
                                 .name = "Binarizer",
                                 .since = 1,
                                 .min_inputs = 1,
                                 .max_inputs = 1,
                                 .min_outputs = 1,
                                 .max_outputs = 1,
                                 .attrs = kAttrs};

    static Status infer(InferContext& c) {
        if (!is_ml_number(c.dtype(0))) return c.fail("type ", c.dtype(0));
        c.set(0, c.dtype(0), c.shape(0));
        return {};
    }
    static Status reference(RunContext& c) {
        const double threshold = c.attr_f("threshold");
        for (int64_t i = 0; i < c.output(0).elements(); ++i) {
            store_double(c.output(0), i, load_double(c.input(0), i) > threshold ? 1 : 0);
        }
        return {};
    }
};

}  // namespace coffer::ops::ml
