// Parameters of a plan's steps, among them numbers of the model: private memory that goes with the plan.
#pragma once

#include <algorithm>
#include <new>
#include <vector>

#include "coffer/base/checked.hpp"
#include "coffer/base/private_memory.hpp"

namespace coffer::runtime {

class ParamArena {
 public:
    ParamArena() = default;
    ParamArena(const ParamArena&) = delete;
    ParamArena& operator=(const ParamArena&) = delete;
    ~ParamArena() {
        for (const Block& block : blocks_) release_private(block.data, block.size);
    }

    // Zero; throws std::bad_alloc.
    void* allocate(size_t size, size_t alignment) {
        if (blocks_.empty() || !fits(blocks_.back(), size, alignment)) add(size);
        Block& block = blocks_.back();
        const size_t begin = round_up(block.used, alignment);
        block.used = begin + size;
        return block.data + begin;
    }

 private:
    struct Block {
        std::byte* data = nullptr;
        size_t size = 0, used = 0;
    };
    static constexpr size_t kBlock = size_t{16} << 10;  // its start is aligned to 64 bytes

    static bool fits(const Block& block, size_t size, size_t alignment) {
        const size_t begin = round_up(block.used, alignment);
        return begin <= block.size && size <= block.size - begin;
    }
    void add(size_t least) {
        Block& block = blocks_.emplace_back();
        block.data = static_cast<std::byte*>(allocate_private(std::max(least, kBlock)));
        if (!block.data) {
            blocks_.pop_back();
            throw std::bad_alloc();
        }
        block.size = std::max(least, kBlock);
    }

    std::vector<Block> blocks_;
};

}  // namespace coffer::runtime
