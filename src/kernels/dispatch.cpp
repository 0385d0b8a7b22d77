#include "coffer/kernels/dispatch.hpp"

#include <array>
#include <cstring>

#include "coffer/base/os.hpp"
#include "kernels/cpu.hpp"

namespace coffer::kernels {

// Tables of the arch objects: kTable_<row>_<shard>, see arch/arch.cpp.
#define COFFER_ARCH_ROW(Struct, name)              \
    extern const KernelFn* const kTable_##name##_0[]; \
    extern const KernelFn* const kTable_##name##_1[]; \
    extern const KernelFn* const kTable_##name##_2[]; \
    extern const KernelFn* const kTable_##name##_3[]; \
    extern const KernelFn* const kTable_##name##_4[]; \
    extern const KernelFn* const kTable_##name##_5[];
#include "arch_rows.inc"
#undef COFFER_ARCH_ROW
static_assert(COFFER_OP_SHARDS == 6, "one extern line per shard above");

namespace {

struct Row {
    ArchId id;
    const char* name;
    std::array<const KernelFn* const*, COFFER_OP_SHARDS> tables;
};

constexpr ArchId id_of(std::string_view name) {
    constexpr std::string_view names[] = {"baseline", "avx2", "avx512", "avx512vnni", "amx", "neon_dotprod"};
    for (size_t i = 0; i < std::size(names); ++i) {
        if (names[i] == name) return static_cast<ArchId>(i);
    }
    return ArchId::kCount;
}

constexpr Row kRows[] = {
#define COFFER_ARCH_ROW(Struct, name)                                                                       \
    {id_of(#name), #name, {kTable_##name##_0, kTable_##name##_1, kTable_##name##_2, kTable_##name##_3, \
                           kTable_##name##_4, kTable_##name##_5}},
#include "arch_rows.inc"
#undef COFFER_ARCH_ROW
};

struct Choice {
    std::array<ArchId, static_cast<size_t>(ArchId::kCount)> available{};
    size_t count = 0;
    ArchId best = ArchId::kBaseline;
    bool forced_ok = true;

    Choice() {
        for (const Row& row : kRows) {
            if (cpu_has(row.id)) available[count++] = best = row.id;
        }
        const char* forced = os::environment("COFFER_FORCE_ARCH");
        if (!forced || !*forced) return;
        forced_ok = false;
        for (size_t i = 0; i < count; ++i) {
            if (std::strcmp(arch_name(available[i]), forced) == 0) {
                best = available[i];
                forced_ok = true;
            }
        }
    }
};

const Choice& choice() {
    static const Choice c;
    return c;
}

}  // namespace

const char* arch_name(ArchId id) {
    for (const Row& row : kRows) {
        if (row.id == id) return row.name;
    }
    return "unknown";
}
std::span<const ArchId> available() { return {choice().available.data(), choice().count}; }
ArchId chosen() { return choice().best; }
bool forced_ok() { return choice().forced_ok; }

const KernelFn* find(ArchId id, uint16_t shard, uint16_t index) {
    for (const Row& row : kRows) {
        if (row.id == id) return row.tables[shard][index];
    }
    return nullptr;
}

}  // namespace coffer::kernels
