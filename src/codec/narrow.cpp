// Encoding 1: elements stored in a narrower type that converts to the tensor's own exactly (docs/format.md 5.10).
// Weights that were trained or exported in 16 bits, and indices that are small, take half their space or less.
#include <algorithm>
#include <array>
#include <bit>
#include <cstring>

#include "codec/codec.hpp"

namespace coffer::codec {
namespace {

// With masks in place of branches, so that compilers vectorize it; does not depend on how the thread treats subnormal
// numbers: no step has a subnormal result.
float widened(Float16 h) {
    const uint32_t sign = uint32_t(h.bits & 0x8000u) << 16;
    const uint32_t rest = uint32_t(h.bits & 0x7fffu) << 13;
    const uint32_t least = 113u << 23;  // 2^-14
    const uint32_t small = std::bit_cast<uint32_t>(std::bit_cast<float>(rest + least) - std::bit_cast<float>(least));
    const uint32_t is_small = -uint32_t(rest < (1u << 23)), is_special = -uint32_t(rest >= (31u << 23));
    const uint32_t large = rest + (112u << 23) + (is_special & (112u << 23));
    return std::bit_cast<float>(sign | (small & is_small) | (large & ~is_small));
}
float widened(Bfloat16 b) {
    return to_float(b);
}
template <class T>
T widened(T v) {
    return v;
}

template <class Stored, class Wide>
struct Convert {
    static Stored narrowed(Wide v) {
        if constexpr (dtype_of<Stored> == DType::kFloat16)
            return to_float16(static_cast<float>(v));
        else if constexpr (dtype_of<Stored> == DType::kBfloat16)
            return to_bfloat16(static_cast<float>(v));
        else
            return static_cast<Stored>(v);
    }
    static bool exact(Bytes wide) {
        for (size_t i = 0; i < wide.size(); i += sizeof(Wide)) {
            Wide v, again;
            std::memcpy(&v, wide.data() + i, sizeof v);
            if constexpr (is_floating(dtype_of<Stored>) && sizeof(Wide) > sizeof(float)) {
                if (v != v) return false;  // a NaN's payload would go through float32
            }
            again = static_cast<Wide>(widened(narrowed(v)));
            if (std::memcmp(&v, &again, sizeof v) != 0) return false;
        }
        return true;
    }
    static void narrow(Bytes wide, MutableBytes dst) {
        for (size_t i = 0; i < wide.size() / sizeof(Wide); ++i) {
            Wide v;
            std::memcpy(&v, wide.data() + i * sizeof v, sizeof v);
            const Stored s = narrowed(v);
            std::memcpy(dst.data() + i * sizeof s, &s, sizeof s);
        }
    }
    static void widen(Bytes src, MutableBytes wide) {
        for (size_t i = 0; i < wide.size() / sizeof(Wide); ++i) {
            Stored s;
            std::memcpy(&s, src.data() + i * sizeof s, sizeof s);
            const auto v = static_cast<Wide>(widened(s));
            std::memcpy(wide.data() + i * sizeof v, &v, sizeof v);
        }
    }
};

struct Pair {
    DType wide, stored;
    bool (*exact)(Bytes wide);
    void (*narrow)(Bytes wide, MutableBytes dst);
    void (*widen)(Bytes src, MutableBytes wide);
};
template <class Wide, class Stored>
constexpr Pair pair() {
    using C = Convert<Stored, Wide>;
    return {dtype_of<Wide>, dtype_of<Stored>, C::exact, C::narrow, C::widen};
}

// The narrowest first.
constexpr std::array kPairs = {
    pair<float, Float16>(),   pair<float, Bfloat16>(),  pair<double, float>(),     pair<int32_t, int8_t>(),
    pair<int32_t, uint8_t>(), pair<int32_t, int16_t>(), pair<int32_t, uint16_t>(), pair<int64_t, int8_t>(),
    pair<int64_t, uint8_t>(), pair<int64_t, int16_t>(), pair<int64_t, uint16_t>(), pair<int64_t, int32_t>(),
};

const Pair* find_pair(DType wide, DType stored) {
    const auto it = std::ranges::find_if(kPairs, [&](const Pair& p) { return p.wide == wide && p.stored == stored; });
    return it == kPairs.end() ? nullptr : &*it;
}

}  // namespace

bool narrow_size(DType dtype, DType stored, const Shape& shape, uint64_t* out) {
    size_t size = 0;
    if (!find_pair(dtype, stored) || !checked_nbytes(shape, stored, &size)) return false;
    *out = size;
    return true;
}

DType narrowest(DType dtype, Bytes elements) {
    for (const Pair& p : kPairs) {
        if (p.wide == dtype && p.exact(elements)) return p.stored;
    }
    return DType::kUndefined;
}

void narrow(DType dtype, DType stored, Bytes elements, MutableBytes dst) {
    find_pair(dtype, stored)->narrow(elements, dst);
}

void widen(DType dtype, DType stored, Bytes src, MutableBytes elements) {
    find_pair(dtype, stored)->widen(src, elements);
}

}  // namespace coffer::codec
