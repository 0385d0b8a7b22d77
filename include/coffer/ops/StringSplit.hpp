// Cuts strings at a delimiter (or at white space) into a new axis, padded with empty strings.
// https://onnx.ai/onnx/operators/onnx__StringSplit.html
#pragma once

#include "coffer/ops/family/move.hpp"

namespace coffer::ops {

struct StringSplit {
    static constexpr AttrSpec attrs[] = {AttrSpec::s("delimiter", ""),
                                         AttrSpec::optional("maxsplit", AttrSpec::kInt)};
    static constexpr Facts facts{.domain = "",
                                 .name = "StringSplit",
                                 .since = 20,
                                 .min_inputs = 1,
                                 .max_inputs = 1,
                                 .min_outputs = 1,
                                 .max_outputs = 2,
                                 .attrs = attrs};

    static Status infer(InferContext& c) {
        if (c.dtype(0) != DType::kString) return c.fail("type ", c.dtype(0));
        if (c.shape(0).rank() == kMaxRank) return c.fail("input has rank ", kMaxRank, " already");
        c.set_unknown(0, DType::kString);
        c.set(1, DType::kInt64, c.shape(0));
        return {};
    }
    static Status reference(RunContext& c) {
        const auto strings = c.input(0).span<const PrivateString>();
        int64_t widest = 0;
        for (const PrivateString& s : strings) widest = std::max(widest, split(c, s, nullptr));
        Shape to = c.input(0).shape;
        to.push_back(widest);
        if (c.has_output(0)) COFFER_TRY(c.allocate(0, DType::kString, to));
        for (size_t i = 0; i < strings.size(); ++i) {
            auto* row =
                c.has_output(0) ? c.output(0).as<PrivateString>() + static_cast<int64_t>(i) * widest : nullptr;
            const int64_t n = split(c, strings[i], row);
            if (c.has_output(1)) c.output(1).as<int64_t>()[i] = n;
        }
        return {};
    }

 private:
    // Writes the parts to `out` unless it is nullptr; gives their number.
    static int64_t split(const NodeContext& c, std::string_view text, PrivateString* out) {
        const std::string_view delimiter = c.attr_s("delimiter");
        const bool blanks = delimiter.empty();
        int64_t left = c.has_attr("maxsplit") ? c.attr_i("maxsplit") : INT64_MAX, n = 0;
        if (left < 0) left = INT64_MAX;
        constexpr std::string_view kBlank = " \t\n\v\f\r";
        if (text.empty()) return 0;
        for (;; --left) {
            if (blanks) text.remove_prefix(std::min(text.find_first_not_of(kBlank), text.size()));
            if (blanks && text.empty()) return n;
            const size_t end = left == 0 ? text.npos : blanks ? text.find_first_of(kBlank) : text.find(delimiter);
            if (out) out[n] = text.substr(0, end);
            ++n;
            if (end == text.npos) return n;
            text.remove_prefix(end + (blanks ? 1 : delimiter.size()));
        }
    }
};

}  // namespace coffer::ops
