// Remainder with the sign of b, or of a with fmod = 1; integers refuse a zero divisor.
// https://onnx.ai/onnx/operators/onnx__Mod.html
#pragma once

#include <cmath>

#include "coffer/ops/family/binary.hpp"

namespace coffer::ops {

struct Mod : Binary<Mod, kNumbers> {
    static constexpr AttrSpec attrs[] = {AttrSpec::i("fmod", 0)};
    static constexpr Facts facts = binary_facts("Mod", 28, attrs);
    struct Params {
        bool fmod;
    };
    static Params params(const NodeContext& c) { return {c.attr_i("fmod") != 0}; }
    static Status check(const InferContext& c) {
        const int64_t fmod = c.attr_i("fmod");
        if (fmod != 0 && fmod != 1) return c.fail("fmod is ", fmod, ", not 0 or 1");
        return {};
    }

    static double scalar(double a, double b, const Params& p) {
        const double r = std::fmod(a, b);
        if (p.fmod || r != r) return r;
        if (r == 0) return std::copysign(0.0, b);
        return (r < 0) != (b < 0) ? r + b : r;
    }
    static bool integer(int64_t a, int64_t b, DType t, int64_t* out, const Params& p) {
        if (b == 0) return false;
        if (t == DType::kUint64) {
            *out = static_cast<int64_t>(static_cast<uint64_t>(a) % static_cast<uint64_t>(b));
            return true;
        }
        const int64_t r = b == -1 ? 0 : a % b;
        *out = !p.fmod && r != 0 && (r < 0) != (b < 0) ? r + b : r;
        return true;
    }
};

}  // namespace coffer::ops
