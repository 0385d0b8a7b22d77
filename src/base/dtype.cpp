#include "coffer/base/dtype.hpp"

namespace coffer {

const char* dtype_name(DType t) {
    constexpr const char* names[kDTypeCount] = {"undefined",
                                                "float32",
                                                "uint8",
                                                "int8",
                                                "uint16",
                                                "int16",
                                                "int32",
                                                "int64",
                                                "string",
                                                "bool",
                                                "float16",
                                                "float64",
                                                "uint32",
                                                "uint64",
                                                "complex64",
                                                "complex128",
                                                "bfloat16",
                                                "float8_e4m3fn",
                                                "float8_e4m3fnuz",
                                                "float8_e5m2",
                                                "float8_e5m2fnuz",
                                                "uint4",
                                                "int4",
                                                "float4_e2m1",
                                                "float8_e8m0",
                                                "uint2",
                                                "int2"};
    return static_cast<int>(t) < kDTypeCount ? names[static_cast<int>(t)] : "unknown";
}

Float16 to_float16(float value) {
    const uint32_t u = std::bit_cast<uint32_t>(value);
    const auto sign = static_cast<uint16_t>(u >> 16 & 0x8000u);
    const uint32_t magnitude = u & 0x7fffffffu;
    if (magnitude > 0x7f800000u) return {static_cast<uint16_t>(sign | 0x7e00u | (magnitude >> 13 & 0x3ffu))};
    if (magnitude >= 0x477ff000u) return {static_cast<uint16_t>(sign | 0x7c00u)};  // rounds to infinity
    if (magnitude >= 0x38800000u) {
        const uint32_t rounded = magnitude + 0xfffu + (magnitude >> 13 & 1u);
        return {static_cast<uint16_t>(sign | (rounded - 0x38000000u) >> 13)};
    }
    // Subnormal: adding 0.5 puts the rounding position at bit 0 of the sum's significand.
    const float shifted = std::bit_cast<float>(magnitude) + 0.5f;
    return {static_cast<uint16_t>(sign | (std::bit_cast<uint32_t>(shifted) - 0x3f000000u))};
}

}  // namespace coffer
