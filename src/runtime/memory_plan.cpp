#include "runtime/memory_plan.hpp"

#include <algorithm>
#include <numeric>
#include <vector>

#include "coffer/base/checked.hpp"

namespace coffer::runtime {

size_t plan_memory(std::span<Buffer> buffers) {
    std::vector<uint32_t> order(buffers.size());
    std::iota(order.begin(), order.end(), 0u);
    std::ranges::stable_sort(order, [&](uint32_t a, uint32_t b) { return buffers[a].bytes > buffers[b].bytes; });

    size_t total = 0;
    std::vector<uint32_t> placed;  // sorted by offset
    for (uint32_t id : order) {
        Buffer& buffer = buffers[id];
        if (buffer.bytes == 0) continue;
        size_t size, offset = 0, end;
        if (!checked_round_up<size_t>(buffer.bytes, 64, &size)) return SIZE_MAX;
        for (uint32_t other_id : placed) {
            const Buffer& other = buffers[other_id];
            if (other.last < buffer.first || buffer.last < other.first) continue;
            if (offset <= other.offset && size <= other.offset - offset) break;
            offset = std::max(offset, other.offset + round_up<size_t>(other.bytes, 64));
        }
        if (!checked_add(offset, size, &end)) return SIZE_MAX;
        buffer.offset = offset;
        total = std::max(total, end);
        const auto at = std::ranges::upper_bound(placed, offset, {}, [&](uint32_t p) { return buffers[p].offset; });
        placed.insert(at, id);
    }
    return total;
}

}  // namespace coffer::runtime
