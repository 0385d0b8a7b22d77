// Sets of element types, for infer() to say what an op allows.
#pragma once

#include "coffer/ops/op.hpp"

namespace coffer::ops {

using TypeSet = uint32_t;

template <class... D>
constexpr TypeSet types(D... d) {
    return ((TypeSet{1} << static_cast<int>(d)) | ... | 0);
}
constexpr bool contains(TypeSet set, DType d) {
    return set >> static_cast<int>(d) & 1;
}

inline constexpr TypeSet kFloats = types(DType::kFloat, DType::kDouble, DType::kFloat16, DType::kBfloat16);
inline constexpr TypeSet kFloat8s =
    types(DType::kFloat8E4M3FN, DType::kFloat8E4M3FNUZ, DType::kFloat8E5M2, DType::kFloat8E5M2FNUZ);
inline constexpr TypeSet kSignedInts = types(DType::kInt8, DType::kInt16, DType::kInt32, DType::kInt64);
inline constexpr TypeSet kUnsignedInts = types(DType::kUint8, DType::kUint16, DType::kUint32, DType::kUint64);
inline constexpr TypeSet kWideInts = types(DType::kInt32, DType::kInt64, DType::kUint32, DType::kUint64);
inline constexpr TypeSet kIntegers = kSignedInts | kUnsignedInts;
inline constexpr TypeSet kNumbers = kFloats | kIntegers;
inline constexpr TypeSet kBools = types(DType::kBool);
inline constexpr TypeSet kStrings = types(DType::kString);
inline constexpr TypeSet kComplex = types(DType::kComplex64, DType::kComplex128);

inline Status expect_type(const InferContext& c, size_t i, TypeSet allowed) {
    if (c.input(i).kind != ValueKind::kTensor) return c.fail("input ", i, " must be a tensor");
    if (!contains(allowed, c.dtype(i))) return c.fail("input ", i, " cannot be of type ", c.dtype(i));
    return {};
}
inline Status expect_same_type(const InferContext& c, size_t i, size_t j) {
    if (c.dtype(i) == c.dtype(j)) return {};
    return c.fail("inputs ", i, " and ", j, " differ in type (", c.dtype(i), ", ", c.dtype(j), ")");
}

}  // namespace coffer::ops
