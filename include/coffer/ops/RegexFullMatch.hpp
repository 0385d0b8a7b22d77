// Whether the whole of each string matches a pattern. https://onnx.ai/onnx/operators/onnx__RegexFullMatch.html
#pragma once

#include "coffer/ops/family/move.hpp"
#include "coffer/ops/family/string_regex.hpp"

namespace coffer::ops {

struct RegexFullMatch {
    static constexpr AttrSpec attrs[] = {AttrSpec::s("pattern", "")};
    static constexpr Facts facts{.domain = "",
                                 .name = "RegexFullMatch",
                                 .since = 20,
                                 .min_inputs = 1,
                                 .max_inputs = 1,
                                 .min_outputs = 1,
                                 .max_outputs = 1,
                                 .attrs = attrs};

    static Status infer(InferContext& c) {
        if (c.dtype(0) != DType::kString) return c.fail("type ", c.dtype(0));
        Regex regex;
        if (!regex.compile(c.attr_s("pattern"))) return c.unsupported("pattern '", c.attr_s("pattern"), "'");
        c.set(0, DType::kBool, c.shape(0));
        return {};
    }
    static Status reference(RunContext& c) {
        Regex regex;
        if (!regex.compile(c.attr_s("pattern"))) return c.unsupported("pattern '", c.attr_s("pattern"), "'");
        const auto strings = c.input(0).span<const PrivateString>();
        for (size_t i = 0; i < strings.size(); ++i) c.output(0).as<uint8_t>()[i] = regex.full_match(strings[i]);
        return {};
    }
};

}  // namespace coffer::ops
