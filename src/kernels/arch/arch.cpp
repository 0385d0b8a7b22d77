// Compiled once per instruction set and op shard (src/CMakeLists.txt). Exports one constant table and
// nothing else: detection and choice live in dispatch.cpp, which is baseline code.
#include "coffer/kernels/simd.hpp"

#include COFFER_OPS_INCLUDES

namespace coffer::kernels {
namespace {

template <size_t N>
constexpr KernelList list(const KernelFn (&slots)[N]) {
    return {slots, N};
}

template <class Op>
constexpr KernelList kernels_of() {
    if constexpr (COFFER_ARCH_UPON) {
        if constexpr (requires { Op::template byte_kernels<COFFER_ARCH>; }) {
            return list(Op::template byte_kernels<COFFER_ARCH>);
        }
    } else if constexpr (requires { Op::template kernels<COFFER_ARCH>; }) {
        return list(Op::template kernels<COFFER_ARCH>);
    }
    return {};
}

}  // namespace

#define COFFER_JOIN3_(a, b, c) a##b##_##c
#define COFFER_JOIN3(a, b, c) COFFER_JOIN3_(a, b, c)

// In the order of the op shard; the last entry only keeps the array from being empty.
extern const KernelList COFFER_JOIN3(kTable_, COFFER_ARCH_NAME, COFFER_SHARD)[];
const KernelList COFFER_JOIN3(kTable_, COFFER_ARCH_NAME, COFFER_SHARD)[] = {
#define COFFER_OP(Name) kernels_of<ops::Name>(),
#include COFFER_OPS_LIST
#undef COFFER_OP
    {}};

}  // namespace coffer::kernels
