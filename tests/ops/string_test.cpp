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
