// Element types, numbered as in ONNX TensorProto.DataType, and the 16-bit float conversions.
// 4-bit types hold two elements a byte and 2-bit types four, the low bits first.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <string>

namespace coffer {

enum class DType : uint8_t {
    kUndefined = 0,
    kFloat = 1,
    kUint8 = 2,
    kInt8 = 3,
    kUint16 = 4,
    kInt16 = 5,
    kInt32 = 6,
    kInt64 = 7,
    kString = 8,
    kBool = 9,
    kFloat16 = 10,
    kDouble = 11,
    kUint32 = 12,
    kUint64 = 13,
    kComplex64 = 14,
    kComplex128 = 15,
    kBfloat16 = 16,
    kFloat8E4M3FN = 17,
    kFloat8E4M3FNUZ = 18,
    kFloat8E5M2 = 19,
    kFloat8E5M2FNUZ = 20,
    kUint4 = 21,
    kInt4 = 22,
    kFloat4E2M1 = 23,
    kFloat8E8M0 = 24,
    kUint2 = 25,
    kInt2 = 26,
};
inline constexpr int kDTypeCount = 27;

// Bits of one element; 0 for kUndefined and kString (a string is an object, not bytes).
constexpr int dtype_bits(DType t) {
    constexpr uint8_t bits[kDTypeCount] = {0,  32,  8,  8, 16, 16, 32, 64, 0, 8, 16, 64, 32, 64,
                                           64, 128, 16, 8, 8,  8,  8,  4,  4, 4, 8,  2,  2};
    return static_cast<int>(t) < kDTypeCount ? bits[static_cast<int>(t)] : 0;
}
const char* dtype_name(DType t);  // "float32", "int8", ... as numpy names them where it has a name
inline std::string to_text(DType t) {
    return dtype_name(t);
}

constexpr bool is_floating(DType t) {
    return t == DType::kFloat || t == DType::kDouble || t == DType::kFloat16 || t == DType::kBfloat16 ||
           (t >= DType::kFloat8E4M3FN && t <= DType::kFloat8E5M2FNUZ) || t == DType::kFloat4E2M1 ||
           t == DType::kFloat8E8M0;
}
constexpr bool is_signed_integer(DType t) {
    return t == DType::kInt8 || t == DType::kInt16 || t == DType::kInt32 || t == DType::kInt64 || t == DType::kInt4 ||
           t == DType::kInt2;
}
constexpr bool is_unsigned_integer(DType t) {
    return t == DType::kUint8 || t == DType::kUint16 || t == DType::kUint32 || t == DType::kUint64 ||
           t == DType::kUint4 || t == DType::kUint2;
}
constexpr bool is_integer(DType t) {
    return is_signed_integer(t) || is_unsigned_integer(t);
}

struct Float16 {
    uint16_t bits;
};
struct Bfloat16 {
    uint16_t bits;
};

// IEEE 754 binary16; round to nearest even.
inline float to_float(Float16 h) {
    const uint32_t sign = uint32_t(h.bits & 0x8000u) << 16;
    const uint32_t rest = h.bits & 0x7fffu;
    if (rest >= 0x7c00u) return std::bit_cast<float>(sign | 0x7f800000u | (rest & 0x3ffu) << 13);
    if (rest >= 0x0400u) return std::bit_cast<float>(sign | ((rest << 13) + 0x38000000u));
    const float magnitude = static_cast<float>(rest) * 0x1p-24f;
    return std::bit_cast<float>(sign | std::bit_cast<uint32_t>(magnitude));
}
Float16 to_float16(float value);
inline float to_float(Bfloat16 b) {
    return std::bit_cast<float>(uint32_t(b.bits) << 16);
}
inline Bfloat16 to_bfloat16(float value) {
    const uint32_t u = std::bit_cast<uint32_t>(value);
    if ((u & 0x7fffffffu) > 0x7f800000u) return {static_cast<uint16_t>(u >> 16 | 0x40u)};
    return {static_cast<uint16_t>((u + 0x7fffu + (u >> 16 & 1u)) >> 16)};
}

// DType of a C++ element type.
template <class T>
inline constexpr DType dtype_of = DType::kUndefined;
template <>
inline constexpr DType dtype_of<float> = DType::kFloat;
template <>
inline constexpr DType dtype_of<double> = DType::kDouble;
template <>
inline constexpr DType dtype_of<int8_t> = DType::kInt8;
template <>
inline constexpr DType dtype_of<int16_t> = DType::kInt16;
template <>
inline constexpr DType dtype_of<int32_t> = DType::kInt32;
template <>
inline constexpr DType dtype_of<int64_t> = DType::kInt64;
template <>
inline constexpr DType dtype_of<uint8_t> = DType::kUint8;
template <>
inline constexpr DType dtype_of<uint16_t> = DType::kUint16;
template <>
inline constexpr DType dtype_of<uint32_t> = DType::kUint32;
template <>
inline constexpr DType dtype_of<uint64_t> = DType::kUint64;
template <>
inline constexpr DType dtype_of<bool> = DType::kBool;
template <>
inline constexpr DType dtype_of<Float16> = DType::kFloat16;
template <>
inline constexpr DType dtype_of<Bfloat16> = DType::kBfloat16;

}  // namespace coffer
