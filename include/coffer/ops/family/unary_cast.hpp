// Conversion of one element type into another, for Cast and CastLike.
#pragma once

#include <charconv>
#include <cmath>
#include <cstdio>
#include <limits>
#include <string>

#include "coffer/ops/family/unary.hpp"

namespace coffer::ops::cast {

inline constexpr TypeSet kTypes =
    kNumbers | kBools | kStrings | kFloat8s |
    types(DType::kFloat8E8M0, DType::kFloat4E2M1, DType::kInt4, DType::kUint4, DType::kInt2, DType::kUint2);

struct Rules {
    bool saturate;
    enum { kUp, kDown, kNearest } e8m0;  // direction of rounding to a power of two
};

inline Status check(const InferContext& c) {
    const std::string_view mode = c.attr_s("round_mode");
    if (mode == "up" || mode == "down" || mode == "nearest") return {};
    return c.fail("round_mode is '", mode, "', not up, down or nearest");
}
inline Rules rules(const NodeContext& c) {
    const std::string_view mode = c.attr_s("round_mode");
    return {c.attr_i("saturate") != 0, mode == "up" ? Rules::kUp : mode == "down" ? Rules::kDown : Rules::kNearest};
}

// The whole text as a number: "100", "-1.5e3", "+INF", "nan". False for anything else.
inline bool parse(std::string_view text, double* out) {
    if (text.starts_with('+')) text.remove_prefix(1);
    const auto r = std::from_chars(text.data(), text.data() + text.size(), *out);
    return r.ec == std::errc() && r.ptr == text.data() + text.size();
}
inline bool parse(std::string_view text, int64_t* out) {
    if (text.starts_with('+')) text.remove_prefix(1);
    const char* end = text.data() + text.size();
    auto r = std::from_chars(text.data(), end, *out);
    if (r.ec == std::errc() && r.ptr == end) return true;
    uint64_t large = 0;
    r = std::from_chars(text.data(), end, large);
    *out = static_cast<int64_t>(large);
    return r.ec == std::errc() && r.ptr == end;
}

// A short text that reads back as the same T: digits10 may do, max_digits10 do. std::to_chars would bring 135 KB of
// tables into a library that holds its C++ library itself (COFFER_STATIC_STDLIB).
template <class T>
PrivateString print_float(T x) {
    if (std::isnan(x)) return "NaN";
    if (std::isinf(x)) return x > 0 ? "INF" : "-INF";
    PrivateString text;
    for (int digits = std::numeric_limits<T>::digits10; digits <= std::numeric_limits<T>::max_digits10; ++digits) {
        char printed[32];
        const int n = std::snprintf(printed, sizeof printed, "%.*g", digits, static_cast<double>(x));
        text.clear();
        for (const char c : std::string_view(printed, static_cast<size_t>(n))) {
            // What else stands there is the locale's point.
            if ((c >= '0' && c <= '9') || c == '-' || c == '+' || c == 'e') {
                text += c;
            } else if (!text.ends_with('.')) {
                text += '.';
            }
        }
        T read = 0;
        std::from_chars(text.data(), text.data() + text.size(), read);
        if (read == x) break;
    }
    return text;
}
inline PrivateString print(const TensorView& src, int64_t i) {
    if (src.dtype == DType::kDouble) return print_float(load_double(src, i));
    if (is_floating(src.dtype)) return print_float(static_cast<float>(load_double(src, i)));
    char text[32];
    const std::to_chars_result r = src.dtype == DType::kUint64
                                       ? std::to_chars(text, text + sizeof text, src.as<uint64_t>()[i])
                                       : std::to_chars(text, text + sizeof text, load_int(src, i));
    return {text, r.ptr};
}

// Float8 without infinity has NaN for what does not fit; E5M2 has the infinity. store_double() saturates.
inline void store_float8(const TensorView& dst, int64_t i, double x, bool saturate) {
    store_double(dst, i, x);
    if (saturate || std::isnan(x)) return;
    const auto stored = load_double(dst, i);
    const bool e5m2 = dst.dtype == DType::kFloat8E5M2 || dst.dtype == DType::kFloat8E5M2FNUZ;
    // Half a unit above the largest value rounds to what is out of range.
    const double unit = std::ldexp(1.0, std::ilogb(stored != 0 ? stored : 1.0) - (e5m2 ? 2 : 3));
    if (std::fabs(x) < std::fabs(stored) + unit / 2 && !std::isinf(x)) return;
    const bool negative = std::signbit(x);
    if (dst.dtype == DType::kFloat8E5M2) {
        dst.as<uint8_t>()[i] = negative ? 0xfc : 0x7c;
    } else if (dst.dtype == DType::kFloat8E4M3FN) {
        dst.as<uint8_t>()[i] = negative ? 0xff : 0x7f;
    } else {
        dst.as<uint8_t>()[i] = 0x80;
    }
}

// A power of two with exponent -127 .. 127, stored as exponent + 127; 255 is NaN.
inline uint8_t to_e8m0(double x, const Rules& rules) {
    if (std::isnan(x)) return 0xff;
    if (std::isinf(x)) return rules.saturate ? 0xfe : 0xff;
    int exponent = 0;
    const double m = x == 0 ? 0.5 : std::frexp(std::fabs(x), &exponent);  // |x| = m 2^exponent, m in [1/2, 1)
    if (x == 0) exponent = -200;
    const bool up = rules.e8m0 == Rules::kUp ? m > 0.5 : rules.e8m0 == Rules::kNearest && m >= 0.75;
    const int biased = exponent - 1 + (up ? 1 : 0) + 127;
    if (biased >= 0 && biased <= 254) return static_cast<uint8_t>(biased);
    return !rules.saturate ? 0xff : biased < 0 ? 0 : 0xfe;
}

inline void store(const TensorView& dst, int64_t i, double x, const Rules& rules) {
    if (contains(kFloat8s, dst.dtype)) {
        store_float8(dst, i, x, rules.saturate);
    } else if (dst.dtype == DType::kFloat8E8M0) {
        dst.as<uint8_t>()[i] = to_e8m0(x, rules);
    } else {
        store_double(dst, i, x);
    }
}

// False when a string is not a number of the target's kind.
inline bool convert(const TensorView& src, const TensorView& dst, int64_t i, const Rules& rules) {
    if (dst.dtype == DType::kString) {
        dst.as<PrivateString>()[i] = src.dtype == DType::kString ? src.as<const PrivateString>()[i] : print(src, i);
        return true;
    }
    if (src.dtype == DType::kString) {
        double x = 0;
        int64_t n = 0;
        const PrivateString& text = src.as<const PrivateString>()[i];
        if (is_integer(dst.dtype) && parse(text, &n)) {
            store_int(dst, i, n);
            return true;
        }
        if (!parse(text, &x)) return false;
        store(dst, i, x, rules);
        return true;
    }
    if (is_floating(src.dtype) || is_floating(dst.dtype)) {
        // One rounding only: int64 has more digits than double.
        if (src.dtype == DType::kInt64 && dst.dtype == DType::kFloat) {
            dst.as<float>()[i] = static_cast<float>(src.as<const int64_t>()[i]);
        } else if (src.dtype == DType::kUint64 && dst.dtype == DType::kFloat) {
            dst.as<float>()[i] = static_cast<float>(src.as<const uint64_t>()[i]);
        } else {
            store(dst, i, load_double(src, i), rules);
        }
        return true;
    }
    store_int(dst, i, load_int(src, i));
    return true;
}

inline Status reference(RunContext& c) {
    const TensorView &src = c.input(0), &dst = c.output(0);
    const Rules r = rules(c);
    for (int64_t i = 0, n = dst.elements(); i < n; ++i) {
        if (convert(src, dst, i, r)) continue;
        return c.fail("'", src.as<const PrivateString>()[i], "' at element ", i, " is not a ", dst.dtype);
    }
    return {};
}

// The conversions that models spend time on, each a kernel.
template <class From, class To>
struct Pair {
    static bool is(DType from, DType to) { return dtype_of<From> == from && dtype_of<To> == to; }
    template <class Arch>
    static constexpr kernels::KernelFn fn = &kernels::convert<Arch, From, To>;
};
template <class... P>
struct Pairs {
    static size_t slot(const PlanContext& c) {
        size_t i = 0;
        (void)((P::is(c.input(0).dtype, c.output(0).dtype) || (++i, false)) || ...);
        return i;
    }
    static bool accepts(const PlanContext& c) { return slot(c) < sizeof...(P); }
    static Status plan(PlanContext& c) {
        const auto count = static_cast<size_t>(c.output(0).shape.elements());
        if (count == 0) return {};
        const Operand operands[] = {Operand::input(0), Operand::output(0)};
        c.step(c.kernel(slot(c)), c.params(kernels::MapParams<kernels::NoParams>{count, {}}), operands,
               kernels::map_units(count), 1500);
        return {};
    }
    static constexpr Variant variants[] = {{"convert", &accepts, &plan}};
    template <class Arch>
    static constexpr kernels::KernelFn kernels[] = {P::template fn<Arch>...};
};
using Fast =
    Pairs<Pair<float, int64_t>, Pair<float, int32_t>, Pair<float, uint8_t>, Pair<float, int8_t>, Pair<float, bool>,
          Pair<float, Float16>, Pair<int64_t, float>, Pair<int64_t, int32_t>, Pair<int64_t, bool>,
          Pair<int32_t, float>, Pair<int32_t, int64_t>, Pair<int32_t, bool>, Pair<uint8_t, float>,
          Pair<int8_t, float>, Pair<bool, float>, Pair<bool, int64_t>, Pair<bool, int32_t>, Pair<Float16, float>>;

}  // namespace coffer::ops::cast
