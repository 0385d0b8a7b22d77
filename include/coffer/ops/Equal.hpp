// a == b, of strings too; NaN equals nothing. https://onnx.ai/onnx/operators/onnx__Equal.html
#pragma once

#include "coffer/ops/family/compare.hpp"

namespace coffer::ops {

struct Equal : Compare<Equal, kNumbers | kBools | kStrings, float, int32_t, int64_t, bool> {
    static constexpr Facts facts = compare_facts("Equal", 19);

    static Status reference(RunContext& c) {
        const TensorView &a = c.input(0), &b = c.input(1);
        if (a.dtype != DType::kString) return Compare::reference(c);
        const auto dst = c.output(0).span<uint8_t>();
        const BroadcastOffset at_a(a.shape, c.output(0).shape), at_b(b.shape, c.output(0).shape);
        for (size_t k = 0; k < dst.size(); ++k) {
            const auto i = static_cast<int64_t>(k);
            dst[k] = a.as<PrivateString>()[at_a(i)] == b.as<PrivateString>()[at_b(i)];
        }
        return {};
    }
    template <class T>
    static bool apply(T a, T b) {
        return a == b;
    }
};

}  // namespace coffer::ops
