#pragma once

#include "coffer/kernels/arch.hpp"

namespace coffer::kernels {

// Do the CPU and the operating system let this process run code of that row?
bool cpu_has(ArchId id);

}  // namespace coffer::kernels
