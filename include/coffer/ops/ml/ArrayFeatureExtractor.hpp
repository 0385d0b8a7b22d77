// Picks columns: the last axis of X at the indices Y.
// https://onnx.ai/onnx/operators/onnx_aionnxml_ArrayFeatureExtractor.html
#pragma once

#include <cstring>

#include "coffer/ops/family/ml.hpp"

namespace coffer::ops::ml {

struct ArrayFeatureExtractor {
    static constexpr Facts facts{.domain = "ai.onnx.ml",
                                 .name = "ArrayFeatureExtractor",
                                 .since = 1,
                                 .min_inputs = 2,
                                 .max_inputs = 2,
                                 .min_outputs = 1,
                                 .max_outputs = 1,
                                 .atol = 0,
                                 .rtol = 0};

    static Status infer(InferContext& c) {
        if (!is_ml_number(c.dtype(0)) && c.dtype(0) != DType::kString) return c.fail("type ", c.dtype(0));
        if (c.dtype(1) != DType::kInt64) return c.fail("indices of type ", c.dtype(1), ", must be int64");
        if (c.shape(0).rank() < 1) return c.fail("X is a scalar");
        int64_t count;
        if (!c.shape(1).checked_elements(&count)) return c.fail("indices ", c.shape(1));
        Shape out = c.shape(0);
        out[out.rank() - 1] = count;
        if (out.rank() == 1) out = Shape{1, count};
        c.set(0, c.dtype(0), out);
        return {};
    }

    static Status reference(RunContext& c) {
        const TensorView &src = c.input(0), &dst = c.output(0);
        const auto indices = c.input(1).span<const int64_t>();
        const int64_t width = src.shape.back();
        const auto count = static_cast<int64_t>(indices.size());
        for (int64_t index : indices) {
            if (index < 0 || index >= width) return c.fail("index ", index, " of ", width, " columns");
        }
        const size_t size = static_cast<size_t>(dtype_bits(src.dtype)) / 8;
        for (int64_t i = 0; i < dst.elements(); ++i) {
            const int64_t from = i / count * width + indices[static_cast<size_t>(i % count)];
            if (src.dtype == DType::kString) {
                dst.as<PrivateString>()[i] = src.as<const PrivateString>()[from];
            } else {
                std::memcpy(dst.as<char>() + static_cast<size_t>(i) * size,
                            src.as<const char>() + static_cast<size_t>(from) * size, size);
            }
        }
        return {};
    }
};

}  // namespace coffer::ops::ml
