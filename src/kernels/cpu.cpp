#include "kernels/cpu.hpp"

#include "coffer/base/os.hpp"

namespace coffer::kernels {

bool cpu_has(ArchId id) {
    switch (id) {
        case ArchId::kBaseline: return true;
        case ArchId::kAvx2: return os::cpu_features().avx2;
        case ArchId::kAvx512: return os::cpu_features().avx512;
        case ArchId::kAvx512Vnni: return os::cpu_features().avx512_vnni;
        case ArchId::kAmx: return os::cpu_features().avx512_vnni && os::amx_permitted();
        case ArchId::kNeonDotprod: return os::neon_dotprod();
        case ArchId::kCount: break;
    }
    return false;
}

}  // namespace coffer::kernels
