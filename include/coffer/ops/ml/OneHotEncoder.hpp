// Each value to a row with a 1 in the column of its category, all 0 for an unknown one (if zeros is 1).
// https://onnx.ai/onnx/operators/onnx_aionnxml_OneHotEncoder.html
#pragma once

#include "coffer/ops/family/ml.hpp"
#include "coffer/ops/family/ml_keys.hpp"

namespace coffer::ops::ml {

struct OneHotEncoder {
    static constexpr AttrSpec kAttrs[] = {AttrSpec::optional("cats_int64s", AttrSpec::kInts),
                                          AttrSpec::optional("cats_strings", AttrSpec::kStrings),
                                          AttrSpec::i("zeros", 1)};
    static constexpr Facts facts{.domain = "ai.onnx.ml",
                                 .name = "OneHotEncoder",
                                 .since = 1,
                                 .min_inputs = 1,
                                 .max_inputs = 1,
                                 .min_outputs = 1,
                                 .max_outputs = 1,
                                 .attrs = kAttrs};

    static Status infer(InferContext& c) {
        const KeyList k = keys(c);
        if (k.forms() != 1) return c.fail("needs either cats_int64s or cats_strings");
        if (k.is_string() ? c.dtype(0) != DType::kString : !is_ml_number(c.dtype(0))) {
            return c.fail("input of type ", c.dtype(0), ", categories of ", k.dtype());
        }
        if (c.shape(0).rank() >= kMaxRank) return c.fail("input ", c.shape(0), " has too many dimensions");
        Shape out = c.shape(0);
        out.push_back(static_cast<int64_t>(k.size()));
        c.set(0, DType::kFloat, out);
        return {};
    }

    static Status reference(RunContext& c) {
        const KeyList k = keys(c);
        const TensorView& src = c.input(0);
        COFFER_TRY_ASSIGN(const KeyMap map, KeyMap::build(c, k));
        float* const dst = c.output(0).as<float>();
        std::fill_n(dst, c.output(0).elements(), 0.0f);
        for (int64_t i = 0; i < src.elements(); ++i) {
            // Numbers are compared as integers, so that 2.0 is category 2.
            const size_t at = k.is_string() ? map.find(src, i) : map.find_number(load_int(src, i));
            if (at != KeyMap::kMissing)
                dst[static_cast<size_t>(i) * k.size() + at] = 1;
            else if (c.attr_i("zeros") == 0)
                return c.fail("element ", i, " is of no category");
        }
        return {};
    }

 private:
    static KeyList keys(const NodeContext& c) {
        KeyList k;
        k.ints = c.attr_ints("cats_int64s");
        k.strings = c.attr_strings("cats_strings");
        return k;
    }
};

}  // namespace coffer::ops::ml
