#include "coffer/ops/family/string_regex.hpp"
#include "ops/run_op.hpp"

using namespace coffer;
using namespace coffer::testing;

namespace {

bool matches(std::string_view pattern, std::string_view text) {
    ops::Regex regex;
    REQUIRE(regex.compile(pattern));
    return regex.full_match(text);
}
PrivateString to_private(int64_t number) {
    const std::string text = std::to_string(number);
    return {text.begin(), text.end()};
}
bool compiles(std::string_view pattern) {
    ops::Regex regex;
    return regex.compile(pattern);
}

}  // namespace

TEST_CASE("regular expressions match whole strings") {
    CHECK(matches("", ""));
    CHECK_FALSE(matches("", "a"));
    CHECK(matches("a|bc|", "bc"));
    CHECK(matches("a|bc|", ""));
    CHECK_FALSE(matches("a|bc", "abc"));
    CHECK(matches("(a|b)*c+d?", "ababccd"));
    CHECK(matches("(?:ab){2,3}", "ababab"));
    CHECK_FALSE(matches("(?:ab){2,3}", "abababab"));
    CHECK(matches("x{2,}", "xxxxx"));
    CHECK(matches("[^a-c]\\d\\W", "z7-"));
    CHECK_FALSE(matches("[^a-c]\\d\\W", "a7-"));
    CHECK(matches("[]a-]+", "a]-"));
    CHECK(matches(".", "\xc3\xa9"));
    CHECK_FALSE(matches(".", "\n"));
    CHECK(matches("[\xc3\xa0-\xc3\xbf]+", "\xc3\xa9\xc3\xa8"));
    CHECK(matches("^a$", "a"));
    CHECK_FALSE(matches("a^b", "ab"));
    CHECK(matches("a\\b.\\bb", "a b"));
    CHECK(matches("(a|b|c){0,2}d", "cbd"));
}

TEST_CASE("a pattern cannot make matching slow, nor its program large") {
    const std::string many(20000, 'a');
    CHECK_FALSE(matches("(a*)*(a|aa)+b", many));
    CHECK(matches("(a?){100}a{100}", std::string(100, 'a')));
    CHECK_FALSE(compiles("((a{100}){100}){100}"));
    CHECK_FALSE(compiles("a{100000}"));
    CHECK_FALSE(compiles(std::string(100000, '(')));
    for (const char* bad :
         {"(", ")", "a**b(", "[", "[b-a]", "*a", "a{2,1}", "a{2", "\\", "\\1", "(?<n>a)", "(?=a)", "[[:alpha:]]"}) {
        INFO(bad);
        CHECK_FALSE(compiles(bad));
    }
}

TEST_CASE("string ops refuse what is not for them") {
    const Tensor x = random_tensor(Shape{2}, 1);
    const Tensor s = empty(DType::kString, Shape{2, 2});
    CHECK(refusal({.op = "StringConcat", .inputs = {x, x}}).find("float32") != std::string::npos);
    CHECK(refusal({.op = "RegexFullMatch", .attrs = {{"pattern", std::string("(?=a)")}}, .inputs = {s}})
              .find("(?=a)") != std::string::npos);
    CHECK(refusal({.op = "StringNormalizer", .inputs = {s}}).find("(2, 2)") != std::string::npos);
    NodeCase grams{.op = "TfIdfVectorizer",
                   .attrs = {{"mode", std::string("TF")},
                             {"min_gram_length", int64_t{1}},
                             {"max_gram_length", int64_t{1}},
                             {"max_skip_count", int64_t{0}},
                             {"ngram_counts", PrivateVector<int64_t>{0}},
                             {"ngram_indexes", PrivateVector<int64_t>{-1}},
                             {"pool_int64s", PrivateVector<int64_t>{7}}},
                   .inputs = {values<int64_t>({7})}};
    CHECK(refusal(grams).find("-1") != std::string::npos);
    grams.attrs[5].value = PrivateVector<int64_t>{0, 1};
    CHECK(refusal(grams).find("for 1 n-grams") != std::string::npos);
}

TEST_CASE("a class of many characters is searched") {
    // Every other letter from 0x4e00 on, backwards, and ranges that overlap.
    const auto letter = [](uint32_t ch) {
        return std::string{static_cast<char>(0xe0 | ch >> 12), static_cast<char>(0x80 | (ch >> 6 & 0x3f)),
                           static_cast<char>(0x80 | (ch & 0x3f))};
    };
    std::string pattern = "b-dc-ea", text;
    for (uint32_t i = 15000; i-- > 0;) pattern += letter(0x4e00 + 2 * i);
    for (int i = 0; i < 1000000; ++i) text += letter(0x4e00);
    CHECK(matches("[" + pattern + "]*", text + "abcde"));
    CHECK_FALSE(matches("[" + pattern + "]*", text + "f"));
    CHECK_FALSE(matches("[" + pattern + "]", letter(0x4e01)));
    CHECK(matches("[^" + pattern + "]+", letter(0x4e01) + "`f" + letter(0x4dff)));
    CHECK_FALSE(matches("[^" + pattern + "]", "e"));
}

TEST_CASE("stop words are looked up") {
    constexpr int64_t kWords = 100000;
    const Tensor x = empty(DType::kString, Shape{kWords});
    Strings stops;
    for (int64_t i = 0; i < kWords; ++i) {
        x.span<PrivateString>()[static_cast<size_t>(i)] = (i % 2 == 0 ? "Word" : "word") + to_private(i);
        if (i != 77) stops.push_back("wORD" + to_private(kWords - 1 - i));
    }
    NodeCase c{.op = "StringNormalizer", .attrs = {{"stopwords", stops}}, .inputs = {x}};
    const Tensor kept = reference(c)[0];
    REQUIRE(kept.shape() == Shape{1});
    CHECK(kept.span<PrivateString>()[0] == "Word99922");
    c.attrs.push_back({"is_case_sensitive", int64_t{1}});
    CHECK(reference(c)[0].shape() == Shape{kWords});
}

TEST_CASE("n-grams are counted as by trying each") {
    std::mt19937 random(5);
    const auto below = [&](int64_t n) { return std::uniform_int_distribution<int64_t>(0, n - 1)(random); };
    for (int trial = 0; trial < 60; ++trial) {
        // Pairs and triples of three words, some of them several times, some for one cell.
        const int64_t pairs = below(8), triples = 1 + below(8), single = 2, length = below(12), skips = below(4);
        const int64_t grams = single + pairs + triples;
        Ints pool, indexes;
        Floats weights;
        for (int64_t i = 0; i < single + 2 * pairs + 3 * triples; ++i) pool.push_back(below(3));
        for (int64_t i = 0; i < grams; ++i) {
            indexes.push_back(below(5));
            weights.push_back(static_cast<float>(1 + below(9)));
        }
        indexes[0] = 4;
        const Tensor x = empty(DType::kInt64, Shape{2, length});
        for (int64_t& word : x.span<int64_t>()) word = below(3);
        const int64_t least = 1 + below(2);
        for (const char* mode : {"TF", "IDF", "TFIDF"}) {
            const NodeCase c{.op = "TfIdfVectorizer",
                             .attrs = {{"mode", std::string(mode)},
                                       {"min_gram_length", least},
                                       {"max_gram_length", int64_t{3}},
                                       {"max_skip_count", skips},
                                       {"ngram_counts", Ints{0, single, single + 2 * pairs}},
                                       {"ngram_indexes", indexes},
                                       {"pool_int64s", pool},
                                       {"weights", weights}},
                             .inputs = {x}};
            const Tensor expected = empty(DType::kFloat, Shape{2, 5});
            for (int64_t row = 0; row < 2; ++row) {
                for (int64_t gram = 0, word = 0; gram < grams; ++gram) {
                    const int64_t n = gram < single ? 1 : gram < single + pairs ? 2 : 3;
                    int64_t found = 0;
                    for (int64_t step = 1; n >= least && step <= (n == 1 ? 1 : skips + 1); ++step) {
                        for (int64_t at = 0; at + (n - 1) * step < length; ++at) {
                            bool equal = true;
                            for (int64_t j = 0; j < n; ++j) {
                                equal = equal && x.span<int64_t>()[size_t(row * length + at + j * step)] ==
                                                     pool[size_t(word + j)];
                            }
                            found += equal;
                        }
                    }
                    word += n;
                    if (n < least) continue;
                    float& cell = expected.span<float>()[size_t(row * 5 + indexes[size_t(gram)])];
                    const float weight = weights[size_t(gram)];
                    if (mode == std::string("TF")) cell += static_cast<float>(found);
                    if (mode == std::string("IDF") && found > 0) cell = weight;
                    if (mode == std::string("TFIDF")) cell += static_cast<float>(found) * weight;
                }
            }
            INFO("trial " << trial << " " << mode);
            CHECK(same(reference(c)[0], expected));
        }
    }
}

TEST_CASE("many n-grams are looked up in a long text") {
    constexpr int64_t kWords = 100000;
    Strings pool;
    Ints indexes;
    const Tensor x = empty(DType::kString, Shape{kWords});
    for (int64_t i = 0; i < kWords; ++i) {
        x.span<PrivateString>()[static_cast<size_t>(i)] = to_private(i);
        pool.push_back(to_private(kWords - 1 - i));
        pool.push_back(to_private(kWords + 1 - i));  // two words on: with one skip
        indexes.push_back(i % 2);
    }
    const NodeCase c{.op = "TfIdfVectorizer",
                     .attrs = {{"mode", std::string("TF")},
                               {"min_gram_length", int64_t{2}},
                               {"max_gram_length", int64_t{2}},
                               {"max_skip_count", int64_t{1}},
                               {"ngram_counts", Ints{0, 0}},
                               {"ngram_indexes", indexes},
                               {"pool_strings", pool}},
                     .inputs = {x}};
    CHECK(same(reference(c)[0], values<float>({kWords / 2 - 1, kWords / 2 - 1})));
}

TEST_CASE("strings are within the memory limit of a run") {
    const auto budget = std::make_shared<MemoryBudget>(1 << 20);
    {
        const BudgetScope scope(budget);
        Tensor t = empty(DType::kString, Shape{1});
        t.span<PrivateString>()[0] = PrivateString(1000, 'a');
        const auto grow = [&] {
            for (int i = 0; i < 40; ++i) t = reference({.op = "StringConcat", .inputs = {t, t}})[0];
        };
        CHECK_THROWS_AS(grow(), std::bad_alloc);
        CHECK(t.span<PrivateString>()[0].size() > 100000);
        // Many that share one text, which each has for itself.
        CHECK_THROWS_AS(reference({.op = "Tile", .inputs = {t, values<int64_t>({100})}}), std::bad_alloc);
    }
    CHECK(budget->charge(budget->limit()));  // all of it came back
}
