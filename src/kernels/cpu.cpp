#include "kernels/cpu.hpp"

#include "coffer/base/os.hpp"

#if defined(__x86_64__) || defined(__i386__)
#include <cpuid.h>
#endif

namespace coffer::kernels {
namespace {

#if defined(__x86_64__) || defined(__i386__)
// Not among the names that every compiler's __builtin_cpu_supports() knows. Asked once: a virtual machine leaves for
// its host each time.
bool has_f16c() {
    static const bool has = [] {
        unsigned a, b, c, d;
        return __get_cpuid(1, &a, &b, &c, &d) && (c & 1u << 29);
    }();
    return has;
}
#endif

}  // namespace

bool cpu_has(ArchId id) {
    switch (id) {
        case ArchId::kBaseline: return true;
#if defined(__x86_64__) || defined(__i386__)
        case ArchId::kAvx2:
            return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
                   __builtin_cpu_supports("bmi2") && has_f16c();
        case ArchId::kAvx512:
            return cpu_has(ArchId::kAvx2) && __builtin_cpu_supports("avx512f") &&
                   __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512cd") &&
                   __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
        case ArchId::kAvx512Vnni: return cpu_has(ArchId::kAvx512) && __builtin_cpu_supports("avx512vnni");
        case ArchId::kAmx: return cpu_has(ArchId::kAvx512Vnni) && os::amx_permitted();
#elif defined(__aarch64__)
        case ArchId::kNeonDotprod: return os::neon_dotprod();
#endif
        default: return false;
    }
}

}  // namespace coffer::kernels
