// Regular expressions that match a whole string in time linear in its length: a set of states stepped through
// the bytes, no backtracking. The common subset of RE2: literals, '.', classes, \d \w \s and their opposites,
// groups, |, * + ? {m,n}, ^ $ \b \B. '.' and classes match UTF-8 code points.
#pragma once

#include <algorithm>
#include <cstdint>
#include <iterator>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace coffer::ops {

class Regex {
 public:
    // False when the pattern is malformed, not supported, or too large once repetitions are written out.
    bool compile(std::string_view pattern) {
        pattern_ = pattern;
        at_ = 0;
        program_.clear();
        sets_.clear();
        if (!alternatives(0) || at_ != pattern_.size()) return false;
        emit({kMatch});
        return program_.size() <= kMaxProgram;
    }

    bool full_match(std::string_view text) const {
        std::vector<uint32_t> now, next, mark(program_.size(), 0);
        uint32_t stamp = 0;
        follow(0, edge(text, 0), &now, &mark, ++stamp);
        for (size_t i = 0; i < text.size() && !now.empty();) {
            const uint32_t ch = decode(text, &i);
            next.clear();
            ++stamp;
            for (uint32_t pc : now) {
                if (program_[pc].kind == kSet && in_set(sets_[program_[pc].x], ch)) {
                    follow(pc + 1, edge(text, i), &next, &mark, stamp);
                }
            }
            now.swap(next);
        }
        for (uint32_t pc : now) {
            if (program_[pc].kind == kMatch) return true;
        }
        return false;
    }

 private:
    static constexpr size_t kMaxProgram = 20000;
    static constexpr int kMaxDepth = 100;
    static constexpr uint32_t kLast = 0x10ffff;

    enum Kind : uint8_t { kSet, kSplit, kJump, kBegin, kEnd, kBoundary, kMatch };
    struct Step {
        Kind kind;
        uint32_t x = 0, y = 0;  // kSet: index of the set; kSplit: both ways on; kJump: where to; kBoundary: wanted
    };
    // What holds between two characters.
    struct Edge {
        bool begin, end, boundary;
    };
    using Range = std::pair<uint32_t, uint32_t>;
    struct Set {
        std::vector<Range> ranges;
        bool negated = false;

        // Sorted and apart from each other, as in_set() wants them.
        void arrange() {
            std::sort(ranges.begin(), ranges.end());
            size_t kept = 0;
            for (const Range& r : ranges) {
                if (kept > 0 && r.first <= ranges[kept - 1].second) {
                    ranges[kept - 1].second = std::max(ranges[kept - 1].second, r.second);
                } else {
                    ranges[kept++] = r;
                }
            }
            ranges.resize(kept);
        }
    };

    static bool in_set(const Set& set, uint32_t ch) {
        const auto behind =
            std::partition_point(set.ranges.begin(), set.ranges.end(), [&](const Range& r) { return r.first <= ch; });
        const bool found = behind != set.ranges.begin() && ch <= std::prev(behind)->second;
        return found != set.negated;
    }
    // The code point at *i; a byte that is not UTF-8 stands for itself, above all code points.
    static uint32_t decode(std::string_view s, size_t* i) {
        const auto byte = [&](size_t k) { return static_cast<uint8_t>(s[k]); };
        const uint8_t first = byte(*i);
        const int more = first < 0x80                    ? 0
                         : first >= 0xc2 && first < 0xe0 ? 1
                         : first >= 0xe0 && first < 0xf0 ? 2
                         : first >= 0xf0 && first < 0xf5 ? 3
                                                         : -1;
        uint32_t ch = more <= 0 ? first : first & (0x3fu >> more);
        bool valid = more >= 0 && *i + static_cast<size_t>(std::max(more, 0)) < s.size();
        for (int k = 1; valid && k <= more; ++k) {
            const uint8_t b = byte(*i + static_cast<size_t>(k));
            valid = (b & 0xc0) == 0x80;
            ch = ch << 6 | (b & 0x3f);
        }
        *i += valid ? static_cast<size_t>(more) + 1 : 1;
        return valid ? ch : kLast + 1 + first;
    }

    static Edge edge(std::string_view s, size_t i) {
        const auto word = [](char c) {
            return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '_';
        };
        const bool before = i > 0 && word(s[i - 1]), after = i < s.size() && word(s[i]);
        return {i == 0, i == s.size(), before != after};
    }

    // Adds the states reachable without a character; an explicit stack, as patterns come from files.
    void follow(uint32_t start, Edge edge, std::vector<uint32_t>* list, std::vector<uint32_t>* mark,
                uint32_t stamp) const {
        std::vector<uint32_t> stack{start};
        while (!stack.empty()) {
            const uint32_t pc = stack.back();
            stack.pop_back();
            if ((*mark)[pc] == stamp) continue;
            (*mark)[pc] = stamp;
            const Step& s = program_[pc];
            switch (s.kind) {
                case kSplit:
                    stack.push_back(s.y);
                    stack.push_back(s.x);
                    break;
                case kJump: stack.push_back(s.x); break;
                case kBegin:
                    if (edge.begin) stack.push_back(pc + 1);
                    break;
                case kEnd:
                    if (edge.end) stack.push_back(pc + 1);
                    break;
                case kBoundary:
                    if (edge.boundary == (s.x != 0)) stack.push_back(pc + 1);
                    break;
                default: list->push_back(pc);
            }
        }
    }

    bool more() const { return at_ < pattern_.size(); }
    char peek() const { return pattern_[at_]; }
    bool take(char c) {
        if (!more() || peek() != c) return false;
        ++at_;
        return true;
    }
    uint32_t here() const { return static_cast<uint32_t>(program_.size()); }
    void emit(Step s) { program_.push_back(s); }

    bool alternatives(int depth) {
        if (depth > kMaxDepth) return false;
        const uint32_t begin = here();
        if (!sequence(depth)) return false;
        if (!take('|')) return true;
        insert(begin, {kSplit, begin + 1, here() + 2});
        const uint32_t jump = here();
        emit({kJump});
        if (!alternatives(depth + 1)) return false;
        program_[jump].x = here();
        return true;
    }
    bool sequence(int depth) {
        while (more() && peek() != '|' && peek() != ')') {
            const uint32_t begin = here();
            if (!atom(depth) || !repeat(begin) || program_.size() > kMaxProgram) return false;
        }
        return true;
    }
    bool atom(int depth) {
        if (take('^')) return emit({kBegin}), true;
        if (take('$')) return emit({kEnd}), true;
        if (take('(')) {
            if (take('?') && !take(':')) return false;
            return alternatives(depth + 1) && take(')');
        }
        if (peek() == '*' || peek() == '+' || peek() == '?') return false;
        Set set;
        if (take('.')) {
            set = {{{'\n', '\n'}}, true};
        } else if (take('[')) {
            if (!char_class(&set)) return false;
        } else if (take('\\')) {
            if (take('b')) return emit({kBoundary, 1}), true;
            if (take('B')) return emit({kBoundary, 0}), true;
            if (!escape(&set)) return false;
        } else {
            const uint32_t ch = decode(pattern_, &at_);
            set.ranges = {{ch, ch}};
        }
        set.arrange();
        emit({kSet, static_cast<uint32_t>(sets_.size())});
        sets_.push_back(std::move(set));
        return true;
    }
    bool escape(Set* set) {
        if (!more()) return false;
        const char c = pattern_[at_++];
        const char lower = static_cast<char>(c | 0x20);
        const auto one = [&](uint32_t ch) { set->ranges.push_back({ch, ch}); };
        if (lower == 'd' || lower == 'w' || lower == 's') {
            if (lower == 'd') set->ranges = {{'0', '9'}};
            if (lower == 'w') set->ranges = {{'0', '9'}, {'A', 'Z'}, {'_', '_'}, {'a', 'z'}};
            if (lower == 's') set->ranges = {{'\t', '\n'}, {'\f', '\r'}, {' ', ' '}};
            set->negated = c != lower;
            return true;
        }
        switch (c) {
            case 'n': return one('\n'), true;
            case 't': return one('\t'), true;
            case 'r': return one('\r'), true;
            case 'f': return one('\f'), true;
            case 'v': return one('\v'), true;
            default: break;
        }
        const bool letter = (lower >= 'a' && lower <= 'z') || (c >= '0' && c <= '9');
        if (letter || static_cast<unsigned char>(c) >= 0x80) return false;  // \1, \p{...}
        return one(static_cast<uint32_t>(c)), true;
    }
    bool char_class(Set* set) {
        set->negated = take('^');
        for (bool first = true; more() && (first || peek() != ']'); first = false) {
            Set low;
            if (!class_item(&low)) return false;
            if (low.negated) return false;  // [\D...]: left out
            const bool single = low.ranges.size() == 1 && low.ranges[0].first == low.ranges[0].second;
            if (single && at_ + 1 < pattern_.size() && peek() == '-' && pattern_[at_ + 1] != ']') {
                ++at_;
                Set high;
                if (!class_item(&high) || high.negated || high.ranges.size() != 1 ||
                    high.ranges[0].first != high.ranges[0].second || high.ranges[0].first < low.ranges[0].first) {
                    return false;
                }
                low.ranges[0].second = high.ranges[0].first;
            }
            set->ranges.insert(set->ranges.end(), low.ranges.begin(), low.ranges.end());
        }
        return take(']');
    }
    bool class_item(Set* set) {
        if (take('\\')) return escape(set);
        if (!more() || (peek() == '[' && at_ + 1 < pattern_.size() && pattern_[at_ + 1] == ':')) return false;
        const uint32_t ch = decode(pattern_, &at_);
        set->ranges = {{ch, ch}};
        return true;
    }
    // Quantifiers after the atom that begins at `begin`; a lazy '?' changes nothing for whole matches.
    bool repeat(uint32_t begin) {
        int low = 1, high = 1;  // high -1: no limit
        if (take('*')) {
            low = 0, high = -1;
        } else if (take('+')) {
            high = -1;
        } else if (take('?')) {
            low = 0;
        } else if (more() && peek() == '{') {
            ++at_;
            if (!number(&low)) return false;
            high = low;
            if (take(',')) {
                high = -1;
                if (more() && peek() != '}' && !number(&high)) return false;
            }
            if (!take('}') || (high >= 0 && high < low)) return false;
        } else {
            return true;
        }
        take('?');
        const std::vector<Step> body(program_.begin() + begin, program_.end());
        program_.resize(begin);
        const size_t copies = static_cast<size_t>(high < 0 ? low + 1 : high);
        if (copies * (body.size() + 2) + program_.size() > kMaxProgram) return false;
        for (int k = 0; k < low; ++k) paste(body, begin);
        if (high < 0) {
            const uint32_t split = here();
            emit({kSplit, split + 1, 0});
            paste(body, begin);
            emit({kJump, split});
            program_[split].y = here();
            return true;
        }
        for (int k = low; k < high; ++k) {
            const uint32_t split = here();
            emit({kSplit, split + 1, 0});
            paste(body, begin);
            program_[split].y = here();
        }
        return true;
    }
    bool number(int* out) {
        if (!more() || peek() < '0' || peek() > '9') return false;
        for (*out = 0; more() && peek() >= '0' && peek() <= '9'; ++at_) {
            *out = *out * 10 + (peek() - '0');
            if (*out > 1000) return false;
        }
        return true;
    }
    void paste(const std::vector<Step>& body, uint32_t was_at) {
        const uint32_t shift = here() - was_at;
        for (Step s : body) {
            if (s.kind == kSplit || s.kind == kJump) s.x += shift;
            if (s.kind == kSplit) s.y += shift;
            emit(s);
        }
    }
    // Puts a step in front of those from `at` on; their targets move with them.
    void insert(uint32_t at, Step step) {
        for (size_t k = at; k < program_.size(); ++k) {
            Step& s = program_[k];
            if ((s.kind == kSplit || s.kind == kJump) && s.x >= at) ++s.x;
            if (s.kind == kSplit && s.y >= at) ++s.y;
        }
        program_.insert(program_.begin() + at, step);
    }

    std::string_view pattern_;
    size_t at_ = 0;
    std::vector<Step> program_;
    std::vector<Set> sets_;
};

}  // namespace coffer::ops
