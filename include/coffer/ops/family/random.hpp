// Random ops. With a seed the numbers are the same in every run and on every machine; without one each run
// draws others. Not for cryptography.
#pragma once

#include <atomic>
#include <cmath>
#include <numbers>

#include "coffer/base/os.hpp"
#include "coffer/ops/family/move.hpp"

namespace coffer::ops {

// SplitMix64.
class Random {
 public:
    explicit Random(const NodeContext& c) {
        static std::atomic<uint64_t> runs{0};
        state_ = c.has_attr("seed") ? std::bit_cast<uint32_t>(c.attr_f("seed")) : os::monotonic_ns() ^ (++runs << 40);
        (void)next();
    }
    double uniform() { return static_cast<double>(next() >> 11) * 0x1p-53; }  // [0, 1)
    double normal() {                                                         // Box-Muller; 1 - uniform() is never 0
        const double r = std::sqrt(-2 * std::log(1 - uniform()));
        return r * std::cos(2 * std::numbers::pi * uniform());
    }

 private:
    uint64_t next() {
        uint64_t z = state_ += 0x9e3779b97f4a7c15u;
        z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
        z = (z ^ z >> 27) * 0x94d049bb133111ebu;
        return z ^ z >> 31;
    }
    uint64_t state_;
};

enum class Distribution : uint8_t { kUniform, kNormal };

// RandomUniform and RandomNormal take the shape from an attribute, the Like forms from the input.
template <Distribution kind, bool kLike>
struct RandomOp : MoveOp<RandomOp<kind, kLike>> {
    static Status move(MoveContext& m) {
        const NodeContext& c = m.node();
        DType otherwise = DType::kFloat;
        Shape to;
        if (kLike) {
            otherwise = m.dtype(0);
            to = m.shape(0);
        } else if (!Shape::from(c.attr_ints("shape"), &to)) {
            return m.fail("shape of ", c.attr_ints("shape").size(), " dims, or with a negative one");
        }
        COFFER_TRY_ASSIGN(const DType dtype, dtype_attr(c, "dtype", otherwise));
        if (!is_floating(dtype)) return m.fail("type ", dtype);
        COFFER_TRY(m.output(0, dtype, to));
        if (!m.running()) return {};
        Random random(c);
        const double a = c.attr_f(kind == Distribution::kUniform ? "low" : "mean");
        const double b = c.attr_f(kind == Distribution::kUniform ? "high" : "scale");
        for (int64_t i = 0; i < to.elements(); ++i) {
            store_double(m.result(0), i,
                         kind == Distribution::kUniform ? a + (b - a) * random.uniform() : a + b * random.normal());
        }
        return {};
    }
};

}  // namespace coffer::ops
