// Drops stop words and changes case. ASCII letters change case; others are kept as they are, in every locale.
// https://onnx.ai/onnx/operators/onnx__StringNormalizer.html
#pragma once

#include "coffer/ops/family/move.hpp"

namespace coffer::ops {

struct StringNormalizer {
    static constexpr AttrSpec attrs[] = {AttrSpec::s("case_change_action", "NONE"),
                                         AttrSpec::i("is_case_sensitive", 0), AttrSpec::s("locale", ""),
                                         AttrSpec::optional("stopwords", AttrSpec::kStrings)};
    static constexpr Facts facts{.domain = "",
                                 .name = "StringNormalizer",
                                 .since = 10,
                                 .min_inputs = 1,
                                 .max_inputs = 1,
                                 .min_outputs = 1,
                                 .max_outputs = 1,
                                 .attrs = attrs};

    static Status infer(InferContext& c) {
        const Shape& x = c.shape(0);
        const std::string_view action = c.attr_s("case_change_action");
        if (c.dtype(0) != DType::kString) return c.fail("type ", c.dtype(0));
        if (x.rank() != 1 && !(x.rank() == 2 && x[0] == 1))
            return c.fail("input has shape ", x, ", not (C) or (1, C)");
        if (action != "NONE" && action != "LOWER" && action != "UPPER")
            return c.fail("case_change_action '", action, "'");
        if (c.attr_strings("stopwords").empty()) {
            c.set(0, DType::kString, x);
        } else {
            c.set_unknown(0, DType::kString);
        }
        return {};
    }
    static Status reference(RunContext& c) {
        const auto strings = c.input(0).span<const PrivateString>();
        const std::string_view action = c.attr_s("case_change_action");
        const bool exact = c.attr_i("is_case_sensitive") != 0;
        const auto as_compared = [&](const PrivateString& s) { return exact ? s : change(s, false); };
        PrivateVector<PrivateString> stops;
        for (const PrivateString& stop : c.attr_strings("stopwords")) stops.push_back(as_compared(stop));
        std::ranges::sort(stops);
        const auto dropped = [&](const PrivateString& s) {
            return std::ranges::binary_search(stops, as_compared(s));
        };
        int64_t kept = 0;
        for (const PrivateString& s : strings) kept += !dropped(s);
        if (!c.output(0).data) {  // when nothing is left, one empty string is
            Shape to = c.input(0).shape;
            to[to.rank() - 1] = std::max<int64_t>(kept, 1);
            COFFER_TRY(c.allocate(0, DType::kString, to));
            if (kept == 0) c.output(0).as<PrivateString>()[0].clear();
        }
        auto* out = c.output(0).as<PrivateString>();
        for (const PrivateString& s : strings) {
            if (!dropped(s)) *out++ = action == "NONE" ? s : change(s, action == "UPPER");
        }
        return {};
    }

 private:
    static PrivateString change(PrivateString s, bool upper) {
        for (char& ch : s) {
            if (upper && ch >= 'a' && ch <= 'z') ch = static_cast<char>(ch - 'a' + 'A');
            if (!upper && ch >= 'A' && ch <= 'Z') ch = static_cast<char>(ch - 'A' + 'a');
        }
        return s;
    }
};

}  // namespace coffer::ops
