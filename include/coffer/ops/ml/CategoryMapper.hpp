// Strings to integers or back, by two lists side by side.
// https://onnx.ai/onnx/operators/onnx_aionnxml_CategoryMapper.html
#pragma once

#include "coffer/ops/family/ml_keys.hpp"

namespace coffer::ops::ml {

struct CategoryMapper {
    static constexpr AttrSpec kAttrs[] = {AttrSpec::optional("cats_int64s", AttrSpec::kInts),
                                          AttrSpec::optional("cats_strings", AttrSpec::kStrings),
                                          AttrSpec::i("default_int64", -1), AttrSpec::s("default_string", "_Unused")};
    static constexpr Facts facts{.domain = "ai.onnx.ml",
                                 .name = "CategoryMapper",
                                 .since = 1,
                                 .min_inputs = 1,
                                 .max_inputs = 1,
                                 .min_outputs = 1,
                                 .max_outputs = 1,
                                 .attrs = kAttrs};

    static Status infer(InferContext& c) {
        const size_t ints = c.attr_ints("cats_int64s").size(), strings = c.attr_strings("cats_strings").size();
        if (ints != strings) return c.fail(ints, " integers and ", strings, " strings");
        const bool from_text = c.dtype(0) == DType::kString;
        if (!from_text && c.dtype(0) != DType::kInt64) return c.fail("type ", c.dtype(0));
        c.set(0, from_text ? DType::kInt64 : DType::kString, c.shape(0));
        return {};
    }

    static Status reference(RunContext& c) {
        const TensorView &src = c.input(0), &dst = c.output(0);
        const bool from_text = src.dtype == DType::kString;
        KeyList ints, strings;
        ints.ints = c.attr_ints("cats_int64s");
        strings.strings = c.attr_strings("cats_strings");
        COFFER_TRY_ASSIGN(const KeyMap map, KeyMap::build(c, from_text ? strings : ints));
        for (int64_t i = 0; i < dst.elements(); ++i) {
            const size_t at = ints.size() == 0 ? KeyMap::kMissing : map.find(src, i);
            if (at != KeyMap::kMissing)
                (from_text ? ints : strings).store(dst, i, at);
            else if (from_text)
                dst.as<int64_t>()[i] = c.attr_i("default_int64");
            else
                dst.as<PrivateString>()[i] = c.attr_s("default_string");
        }
        return {};
    }
};

}  // namespace coffer::ops::ml
