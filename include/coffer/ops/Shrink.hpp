// x + bias below -lambd, x - bias above lambd, else 0. https://onnx.ai/onnx/operators/onnx__Shrink.html
#pragma once

#include <cmath>

#include "coffer/ops/family/unary.hpp"

namespace coffer::ops {

struct Shrink : Unary<Shrink, kNumbers> {
    static constexpr AttrSpec attrs[] = {AttrSpec::f("bias", 0.0f), AttrSpec::f("lambd", 0.5f)};
    static constexpr Facts facts = unary_facts("Shrink", 9, attrs);
    struct Params {
        float bias, lambd;
    };
    static Params params(const NodeContext& c) { return {c.attr_f("bias"), c.attr_f("lambd")}; }

    static double scalar(double x, const Params& p) {
        return x < -p.lambd ? x + p.bias : x > p.lambd ? x - p.bias : 0;
    }
    static int64_t integer(int64_t x, DType t, const Params& p) {
        const double d = t == DType::kUint64 ? static_cast<double>(static_cast<uint64_t>(x)) : static_cast<double>(x);
        const auto bias = std::fabs(p.bias) < 0x1p62f ? static_cast<uint64_t>(static_cast<int64_t>(p.bias)) : 0;
        const auto u = static_cast<uint64_t>(x);
        return static_cast<int64_t>(d < -p.lambd ? u + bias : d > p.lambd ? u - bias : 0);
    }
};

}  // namespace coffer::ops
