// Memory for activations: our own pages, or the caller's allocator.
#pragma once

#include <utility>

#include "coffer/base/checked.hpp"
#include "coffer/base/os.hpp"

namespace coffer::runtime {

// As coffer_allocator. Without `allocate`, own pages.
struct Allocator {
    void* (*allocate)(void* user, size_t size, size_t alignment) = nullptr;
    void (*release)(void* user, void* memory, size_t size, size_t alignment) = nullptr;
    void* user = nullptr;
};

class Arena {
 public:
    static constexpr size_t kAlignment = 64;

    static Result<Arena> allocate(size_t size, const Allocator& allocator) {
        Arena arena;
        if (!allocator.allocate) {
            COFFER_TRY_ASSIGN(arena.pages_, os::Pages::allocate(size, os::Pages::kHuge | os::Pages::kWhole));
            arena.data_ = arena.pages_.data();
            arena.size_ = size;
            return arena;
        }
        arena.allocator_ = allocator;
        arena.size_ = size;
        arena.data_ = static_cast<std::byte*>(allocator.allocate(allocator.user, size, kAlignment));
        if (!arena.data_) return error(Code::kOutOfMemory, "the caller's allocator has no ", size, " bytes");
        if (const auto over = reinterpret_cast<uintptr_t>(arena.data_) % kAlignment) {
            return error(Code::kInvalidArgument, "the caller's allocator gave memory ", over,
                         " bytes past a multiple of ", kAlignment);
        }
        return arena;
    }
    Arena() = default;
    Arena(Arena&& other) noexcept { *this = std::move(other); }
    Arena& operator=(Arena&& other) noexcept {
        std::swap(data_, other.data_);
        std::swap(size_, other.size_);
        std::swap(allocator_, other.allocator_);
        std::swap(pages_, other.pages_);
        return *this;
    }
    ~Arena() {
        if (!allocator_.allocate || !data_) return;
        os::wipe(data_, size_);
        allocator_.release(allocator_.user, data_, size_, kAlignment);
    }

    std::byte* data() const { return data_; }

    // Memory beside the arena's own, for as long as it lives: what its last page, small or huge, has left. nullptr:
    // not enough, or an address sanitizer is to see where it ends.
    std::byte* take_spare([[maybe_unused]] size_t bytes) {
#ifdef COFFER_ADDRESS_SANITIZER
        return nullptr;
#else
        size_t begin, end;
        if (!checked_round_up(size_, kAlignment, &begin) || !checked_add(begin, bytes, &end) || end > pages_.size()) {
            return nullptr;
        }
        size_ = end;
        return data_ + begin;
#endif
    }

 private:
    std::byte* data_ = nullptr;
    size_t size_ = 0;  // in use
    Allocator allocator_;
    os::Pages pages_;
};

}  // namespace coffer::runtime
