#include "kernels/cpu.hpp"

#include "coffer/base/os.hpp"

namespace coffer::kernels {

bool cpu_has(ArchId id) {
    switch (id) {
        case ArchId::kBaseline: return true;
#if defined(__x86_64__) || defined(__i386__)
        case ArchId::kAvx2:
            return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("bmi2") &&
                   __builtin_cpu_supports("f16c");
        case ArchId::kAvx512:
            return cpu_has(ArchId::kAvx2) && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                   __builtin_cpu_supports("avx512cd") && __builtin_cpu_supports("avx512dq") &&
                   __builtin_cpu_supports("avx512vl");
        case ArchId::kAvx512Vnni: return cpu_has(ArchId::kAvx512) && __builtin_cpu_supports("avx512vnni");
        case ArchId::kAmx: return cpu_has(ArchId::kAvx512Vnni) && os::amx_permitted();
#elif defined(__aarch64__)
        case ArchId::kNeonDotprod: return os::neon_dotprod();
#endif
        default: return false;
    }
}

}  // namespace coffer::kernels
