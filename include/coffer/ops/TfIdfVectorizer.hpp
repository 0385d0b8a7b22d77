// Counts of known n-grams in each row, as counts (TF), weights (IDF) or both.
// https://onnx.ai/onnx/operators/onnx__TfIdfVectorizer.html
#pragma once

#include "coffer/ops/family/move.hpp"

namespace coffer::ops {

struct TfIdfVectorizer : MoveOp<TfIdfVectorizer> {
    static constexpr AttrSpec attrs[] = {
        AttrSpec::must("max_gram_length", AttrSpec::kInt),  AttrSpec::must("max_skip_count", AttrSpec::kInt),
        AttrSpec::must("min_gram_length", AttrSpec::kInt),  AttrSpec::must("mode", AttrSpec::kString),
        AttrSpec::must("ngram_counts", AttrSpec::kInts),    AttrSpec::must("ngram_indexes", AttrSpec::kInts),
        AttrSpec::optional("pool_int64s", AttrSpec::kInts), AttrSpec::optional("pool_strings", AttrSpec::kStrings),
        AttrSpec::optional("weights", AttrSpec::kFloats)};
    static constexpr Facts facts{.domain = "",
                                 .name = "TfIdfVectorizer",
                                 .since = 9,
                                 .min_inputs = 1,
                                 .max_inputs = 1,
                                 .min_outputs = 1,
                                 .max_outputs = 1,
                                 .attrs = attrs};

    static Status move(MoveContext& m) {
        const NodeContext& c = m.node();
        const Shape& x = m.shape(0);
        const bool text = m.dtype(0) == DType::kString;
        if (!text && m.dtype(0) != DType::kInt32 && m.dtype(0) != DType::kInt64) return m.fail("type ", m.dtype(0));
        if (x.rank() != 1 && x.rank() != 2) return m.fail("input has shape ", x);
        const auto counts = c.attr_ints("ngram_counts"), indexes = c.attr_ints("ngram_indexes"),
                   numbers = c.attr_ints("pool_int64s");
        const auto words = c.attr_strings("pool_strings");
        const auto weights = c.attr_floats("weights");
        const std::string_view mode = c.attr_s("mode");
        const int64_t least = c.attr_i("min_gram_length"), most = c.attr_i("max_gram_length"),
                      skips = c.attr_i("max_skip_count");
        const auto pool = static_cast<int64_t>(text ? words.size() : numbers.size());
        if (mode != "TF" && mode != "IDF" && mode != "TFIDF") return m.fail("mode '", mode, "'");
        if (least < 1 || most < least || skips < 0 || most > static_cast<int64_t>(counts.size())) {
            return m.fail("grams of ", least, " to ", most, " with ", skips, " skips and ", counts.size(),
                          " ngram_counts");
        }
        if (words.empty() == numbers.empty()) return m.fail("needs pool_strings or pool_int64s, one of them");
        if (!weights.empty() && weights.size() != indexes.size())
            return m.fail(weights.size(), " weights for ", indexes.size(), " n-grams");
        size_t grams = 0;
        for (size_t n = 1; n <= counts.size(); ++n) {
            const int64_t begin = counts[n - 1], end = n < counts.size() ? counts[n] : pool;
            if (begin < 0 || end < begin || end > pool || (end - begin) % static_cast<int64_t>(n) != 0) {
                return m.fail("ngram_counts[", n - 1, "] = ", begin, " in a pool of ", pool);
            }
            grams += static_cast<size_t>(end - begin) / n;
        }
        if (grams != indexes.size()) return m.fail(indexes.size(), " ngram_indexes for ", grams, " n-grams");
        int64_t width = 0;
        for (int64_t i : indexes) {
            if (i < 0 || i == INT64_MAX) return m.fail("ngram_indexes has a ", i);
            width = std::max(width, i + 1);
        }
        COFFER_TRY(m.output(0, DType::kFloat, x.rank() == 1 ? Shape{width} : Shape{x[0], width}));
        if (!m.running()) return {};
        const TensorView& in = *m.value(0);
        auto* out = m.result(0).as<float>();
        const int64_t rows = x.rank() == 1 ? 1 : x[0], length = x.back();
        std::fill_n(out, rows * width, 0.0f);
        const auto equal = [&](int64_t at, int64_t k) {
            return text ? in.as<PrivateString>()[at] == words[size_t(k)] : load_int(in, at) == numbers[size_t(k)];
        };
        for (int64_t r = 0; r < rows; ++r) {
            size_t gram = 0;
            for (size_t n = 1; n <= counts.size(); ++n) {
                const auto size = static_cast<int64_t>(n);
                const int64_t end = n < counts.size() ? counts[n] : pool;
                for (int64_t k = counts[n - 1]; k < end; k += size, ++gram) {
                    if (size < least || size > most) continue;
                    int64_t found = 0;
                    // A single word skips nothing, so that it is counted once.
                    for (int64_t skip = 0; skip <= (n == 1 ? 0 : skips) && skip < length; ++skip) {
                        for (int64_t at = 0; at + (size - 1) * (skip + 1) < length; ++at) {
                            int64_t j = 0;
                            while (j < size && equal(r * length + at + j * (skip + 1), k + j)) ++j;
                            found += j == size;
                        }
                    }
                    const float weight = weights.empty() ? 1 : weights[gram];
                    float& cell = out[r * width + indexes[gram]];
                    if (mode == "TF") cell += static_cast<float>(found);
                    if (mode == "IDF") cell = found > 0 ? weight : cell;
                    if (mode == "TFIDF") cell += static_cast<float>(found) * weight;
                }
            }
        }
        return {};
    }
};

}  // namespace coffer::ops
