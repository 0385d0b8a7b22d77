// Bits of a moved by b places; arithmetic on signed types. https://onnx.ai/onnx/operators/onnx__BitShift.html
#pragma once

#include "coffer/ops/family/binary.hpp"

namespace coffer::ops {

struct BitShift : Binary<BitShift, kIntegers> {
    static constexpr AttrSpec attrs[] = {AttrSpec::must("direction", AttrSpec::kString)};
    static constexpr Facts facts = binary_facts("BitShift", 28, attrs);
    struct Params {
        bool left;
    };
    static Params params(const NodeContext& c) { return {c.attr_s("direction") == "LEFT"}; }
    static Status check(const InferContext& c) {
        const std::string_view direction = c.attr_s("direction");
        if (direction == "LEFT" || direction == "RIGHT") return {};
        return c.fail("direction is '", direction, "', not LEFT or RIGHT");
    }

    static bool integer(int64_t a, int64_t b, DType t, int64_t* out, const Params& p) {
        const int bits = dtype_bits(t);
        const bool over = b < 0 || b >= bits;
        if (p.left) {
            *out = over ? 0 : static_cast<int64_t>(static_cast<uint64_t>(a) << b);
        } else if (t == DType::kUint64) {
            *out = over ? 0 : static_cast<int64_t>(static_cast<uint64_t>(a) >> b);
        } else {
            *out = a >> (over ? 63 : b);
        }
        return true;
    }
};

}  // namespace coffer::ops
