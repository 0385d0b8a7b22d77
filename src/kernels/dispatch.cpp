#include "coffer/kernels/dispatch.hpp"

#include <array>
#include <cassert>
#include <cstring>

#include "coffer/base/os.hpp"
#include "kernels/cpu.hpp"

namespace coffer::kernels {

// Tables of the arch objects: kTable_<row>_<shard>, see arch/arch.cpp.
#define COFFER_ARCH_ROW(Struct, name, upon)      \
    extern const KernelList kTable_##name##_0[]; \
    extern const KernelList kTable_##name##_1[]; \
    extern const KernelList kTable_##name##_2[]; \
    extern const KernelList kTable_##name##_3[]; \
    extern const KernelList kTable_##name##_4[]; \
    extern const KernelList kTable_##name##_5[];
#include "arch_rows.inc"
#undef COFFER_ARCH_ROW
static_assert(COFFER_OP_SHARDS == 6, "one extern line per shard above");

namespace {

struct Row {
    ArchId id;
    const char* name;
    bool upon;  // builds upon the row before
    std::array<const KernelList*, COFFER_OP_SHARDS> tables;
};

constexpr ArchId id_of(std::string_view name) {
    constexpr std::string_view names[] = {"baseline", "avx2", "avx512", "avx512vnni", "amx", "neon_dotprod"};
    for (size_t i = 0; i < std::size(names); ++i) {
        if (names[i] == name) return static_cast<ArchId>(i);
    }
    return ArchId::kCount;
}

constexpr Row kRows[] = {
#define COFFER_ARCH_ROW(Struct, name, upon)                                                          \
    {id_of(#name),                                                                                   \
     #name,                                                                                          \
     upon,                                                                                           \
     {kTable_##name##_0, kTable_##name##_1, kTable_##name##_2, kTable_##name##_3, kTable_##name##_4, \
      kTable_##name##_5}},
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
std::span<const ArchId> available() {
    return {choice().available.data(), choice().count};
}
ArchId chosen() {
    return choice().best;
}
bool forced_ok() {
    return choice().forced_ok;
}

OpKernels::OpKernels(ArchId id, uint16_t shard, uint16_t index) {
    size_t row = 0;
    while (row < std::size(kRows) && kRows[row].id != id) ++row;
    if (row == std::size(kRows)) return;
    for (;; --row) {
        assert(count_ < std::size(lists_));
        const KernelList& list = kRows[row].tables[shard][index];
        if (list.count != 0) lists_[count_++] = list;
        if (!kRows[row].upon || row == 0) return;
    }
}

KernelFn OpKernels::operator[](size_t slot) const {
    for (const KernelList& list : lists_) {
        if (slot < list.count && list.slots[slot]) return list.slots[slot];
    }
    return nullptr;
}

}  // namespace coffer::kernels
