// Pieces of private memory that go together: what is worked out from a model and lives as long as a plan, or less.
#pragma once

#include <algorithm>
#include <vector>

#include "coffer/base/checked.hpp"
#include "coffer/base/private_memory.hpp"

namespace coffer {

class PrivateArena {
 public:
    PrivateArena() = default;
    PrivateArena(const PrivateArena&) = delete;
    PrivateArena& operator=(const PrivateArena&) = delete;
    ~PrivateArena() {
        for (const Block& block : blocks_) release_private(block.data, block.size);
    }

    // Zero; nullptr when there is no memory, or the budget of this thread has no more. At most 64-byte aligned.
    void* allocate(size_t size, size_t alignment) {
        if ((blocks_.empty() || !fits(blocks_.back(), size, alignment)) && !add(size)) return nullptr;
        Block& block = blocks_.back();
        const size_t begin = round_up(block.used, alignment);
        block.used = begin + size;
        return block.data + begin;
    }

 private:
    struct Block {
        std::byte* data = nullptr;
        size_t size = 0, used = 0;
        MemoryCharge charge;
    };
    static constexpr size_t kBlock = size_t{16} << 10;  // its start is aligned to 64 bytes

    static bool fits(const Block& block, size_t size, size_t alignment) {
        const size_t begin = round_up(block.used, alignment);
        return begin <= block.size && size <= block.size - begin;
    }
    bool add(size_t least) {
        Block& block = blocks_.emplace_back();
        block.size = std::max(least, kBlock);
        if (block.charge.take(block.size)) block.data = static_cast<std::byte*>(allocate_private(block.size));
        if (block.data) return true;
        blocks_.pop_back();
        return false;
    }

    std::vector<Block> blocks_;
};

}  // namespace coffer
