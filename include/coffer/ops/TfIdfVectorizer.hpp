// Counts of known n-grams in each row, as counts (TF), weights (IDF) or both.
// https://onnx.ai/onnx/operators/onnx__TfIdfVectorizer.html
#pragma once

#include <numeric>

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
        auto* out = m.result(0).as<float>();
        const int64_t rows = x.rank() == 1 ? 1 : x[0], length = x.back();
        std::fill_n(out, rows * width, 0.0f);
        // Those of each length are sorted by their words, so that a window of the input is found among them; where
        // there are few windows, each n-gram is compared with all of them instead.
        Pool p{*m.value(0), words, numbers};
        COFFER_TRY_ASSIGN(std::byte* const memory, m.scratch(grams * (sizeof(Group) + 3 * sizeof(int64_t))));
        auto* const groups = reinterpret_cast<Group*>(memory);
        p.order = reinterpret_cast<int64_t*>(groups + grams);
        int64_t *const place = p.order + grams, *const found = place + grams;  // place: of the first of equal ones
        // A single word skips nothing, so that it is counted once.
        const auto most_steps = [&](const Group& g) { return g.size == 1 ? 1 : std::min(skips, length) + 1; };
        const auto few = [&](const Group& g) { return length <= kFew && most_steps(g) * length <= kFew; };
        size_t group_count = 0;
        int64_t first = 0;
        for (size_t n = 1; n <= counts.size(); ++n) {
            const int64_t end = n < counts.size() ? counts[n] : pool, size = static_cast<int64_t>(n);
            const Group g{size, counts[n - 1], first, first + (end - counts[n - 1]) / size};
            first = g.last;
            if (g.first == g.last || size < least || size > most) continue;
            groups[group_count++] = g;
            if (!few(g)) p.sort(g, place);
        }
        for (int64_t r = 0; r < rows; ++r) {
            for (const Group& g : std::span(groups, group_count)) {
                std::fill(found + g.first, found + g.last, 0);
                for (int64_t step = 1; step <= most_steps(g) && (g.size - 1) * step < length; ++step) {
                    for (int64_t at = 0; at + (g.size - 1) * step < length; ++at) {
                        if (few(g)) {
                            for (int64_t k = g.first; k < g.last; ++k) {
                                found[k] += p.compare_window(g, k, r * length + at, step) == 0;
                            }
                            continue;
                        }
                        const int64_t k = p.find(g, r * length + at, step);
                        if (k < g.last) ++found[k];
                    }
                }
                for (int64_t gram = g.first; gram < g.last; ++gram) {
                    const auto times = static_cast<float>(found[few(g) ? gram : place[gram]]);
                    const float weight = weights.empty() ? 1 : weights[size_t(gram)];
                    float& cell = out[r * width + indexes[size_t(gram)]];
                    if (mode == "TF") cell += times;
                    if (mode == "IDF") cell = times > 0 ? weight : cell;
                    if (mode == "TFIDF") cell += times * weight;
                }
            }
        }
        return {};
    }

 private:
    static constexpr int64_t kFew = 32;

    // The n-grams of one length: numbers [first, last), their words from `begin` of the pool on.
    struct Group {
        int64_t size, begin, first, last;
    };
    struct Pool {
        const TensorView& in;
        std::span<const PrivateString> words;  // or numbers
        std::span<const int64_t> numbers;
        int64_t* order = nullptr;  // numbers of n-grams; those of each group sorted by their words, then by number

        static int compare(int64_t a, int64_t b) { return a < b ? -1 : a > b; }
        int compare_words(int64_t a, int64_t b) const {  // of the pool
            return numbers.empty() ? words[size_t(a)].compare(words[size_t(b)])
                                   : compare(numbers[size_t(a)], numbers[size_t(b)]);
        }
        int compare_grams(const Group& g, int64_t a, int64_t b) const {
            int sign = 0;
            for (int64_t j = 0; j < g.size && sign == 0; ++j) {
                sign = compare_words(g.begin + (a - g.first) * g.size + j, g.begin + (b - g.first) * g.size + j);
            }
            return sign;
        }
        void sort(const Group& g, int64_t* place) {
            std::iota(order + g.first, order + g.last, g.first);
            std::sort(order + g.first, order + g.last, [&](int64_t a, int64_t b) {
                const int sign = compare_grams(g, a, b);
                return sign != 0 ? sign < 0 : a < b;
            });
            for (int64_t k = g.first; k < g.last; ++k) {
                const bool again = k > g.first && compare_grams(g, order[k - 1], order[k]) == 0;
                place[order[k]] = again ? place[order[k - 1]] : k;
            }
        }
        // Where in `order` the window at `at` of the input, of every `step`-th word, is first; g.last when nowhere.
        int64_t find(const Group& g, int64_t at, int64_t step) const {
            const int64_t* const end = order + g.last;
            const int64_t* const k = std::partition_point(
                order + g.first, order + g.last, [&](int64_t gram) { return compare_window(g, gram, at, step) > 0; });
            return k != end && compare_window(g, *k, at, step) == 0 ? k - order : g.last;
        }
        // The window's words with those of an n-gram.
        int compare_window(const Group& g, int64_t gram, int64_t at, int64_t step) const {
            int sign = 0;
            for (int64_t j = 0; j < g.size && sign == 0; ++j) {
                const int64_t word = g.begin + (gram - g.first) * g.size + j;
                sign = numbers.empty() ? in.as<PrivateString>()[at + j * step].compare(words[size_t(word)])
                                       : compare(load_int(in, at + j * step), numbers[size_t(word)]);
            }
            return sign;
        }
    };
};

}  // namespace coffer::ops
