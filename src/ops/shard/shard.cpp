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

// The last entry keeps the array of a reduced build from being empty.
constexpr Op kEntries[] = {
#define COFFER_OP(Name) entry<Name>(),
#include COFFER_OPS_LIST
#undef COFFER_OP
    Op{}};

}  // namespace

template <>
std::span<const Op> shard<COFFER_SHARD>() {
    return std::span(kEntries).first(std::size(kEntries) - 1);
}

}  // namespace coffer::ops
