// One slice of the op table: see cmake/ops.cmake. The slices are joined by src/ops/table.cpp.
#include COFFER_OPS_INCLUDES

#include "ops/table.hpp"

namespace coffer::ops {
namespace {

template <class T>
constexpr Op entry() {
    std::span<const Variant> variants;
    if constexpr (requires { T::variants; }) variants = T::variants;
    return {&T::facts, &T::infer, &T::reference, variants};
}

constexpr Op kEntries[] = {
#define COFFER_OP(Name) entry<Name>(),
#include COFFER_OPS_LIST
#undef COFFER_OP
};

}  // namespace

template <>
std::span<const Op> shard<COFFER_SHARD>() {
    return kEntries;
}

}  // namespace coffer::ops
