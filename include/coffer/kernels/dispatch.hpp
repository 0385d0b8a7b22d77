// Which instruction sets this CPU and this build have, and the kernels of one of them. Baseline code.
#pragma once

#include <span>
#include <string_view>

#include "coffer/kernels/arch.hpp"

namespace coffer::kernels {

const char* arch_name(ArchId id);
// Rows that were built in and that the CPU (and the kernel, for AMX) accepts, worst first.
std::span<const ArchId> available();
// The best of available(), or the one named by COFFER_FORCE_ARCH when it is available. Decided once.
ArchId chosen();
// False when COFFER_FORCE_ARCH names something that is not available; then chosen() is the best.
bool forced_ok();
// Kernels of an op, named by its place in the op table, on one row: found once while planning.
class OpKernels {
 public:
    OpKernels() = default;
    OpKernels(ArchId id, uint16_t shard, uint16_t index);
    // nullptr when neither the row nor those it builds upon have such a kernel.
    KernelFn operator[](size_t slot) const;
    // False when the op has no kernels at all.
    explicit operator bool() const { return count_ != 0; }

 private:
    KernelList lists_[3];  // the row, then those it builds upon
    size_t count_ = 0;
};

}  // namespace coffer::kernels
