// Where buffers lie in one arena: two buffers may share bytes when their lifetimes do not meet.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace coffer::runtime {

struct Buffer {
    size_t bytes = 0;
    uint32_t first = 0, last = 0;  // steps during which it is alive, both inclusive
    size_t offset = 0;             // the answer, 64-byte aligned
};

// Greedy by size: the largest first, each at the lowest offset free over its lifetime. (The "greedy by size
// for offset calculation" of Pisarchyk and Lee, arXiv 2001.03288.) Returns the size of the arena; SIZE_MAX, and no
// offsets, when it cannot be expressed.
size_t plan_memory(std::span<Buffer> buffers);

}  // namespace coffer::runtime
