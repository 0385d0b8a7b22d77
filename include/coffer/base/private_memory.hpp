// Memory for what a sealed file keeps secret and for what is computed from it: tensors, scratch, lists, text. It is
// zero when handed out, kept out of core dumps, and wiped when it is released. Not for keys: those are locked besides
// (crypto/secret.hpp). Small pieces share pages, which are kept for reuse; large ones have their own.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <string>
#include <type_traits>
#include <vector>

namespace coffer {

// 64-byte aligned; nullptr when there is no memory. Release with the same size.
void* allocate_private(size_t size) noexcept;
void release_private(void* memory, size_t size) noexcept;
// As containers expect: throws std::bad_alloc when there is no memory.
void* allocate_private_or_throw(size_t size);
// Text, aligned for its characters alone, is charged to the budget of the thread's BudgetScope until it is released,
// by whichever thread; over the limit it throws OverBudget.
char* allocate_text_or_throw(size_t size);
void release_text(char* text, size_t size) noexcept;

template <class T>
struct PrivateAllocator {
    using value_type = T;
    PrivateAllocator() = default;
    template <class U>
    PrivateAllocator(const PrivateAllocator<U>&) noexcept {}

    // Containers keep the product in range.
    T* allocate(size_t count) {
        if constexpr (std::is_same_v<T, char>)
            return allocate_text_or_throw(count);
        else
            return static_cast<T*>(allocate_private_or_throw(count * sizeof(T)));
    }
    void deallocate(T* memory, size_t count) noexcept {
        if constexpr (std::is_same_v<T, char>)
            release_text(memory, count);
        else
            release_private(memory, count * sizeof(T));
    }
    friend bool operator==(const PrivateAllocator&, const PrivateAllocator&) { return true; }
};
template <class T>
using PrivateVector = std::vector<T, PrivateAllocator<T>>;
// A short one lies in the object itself: keep it where that is private too, in a tensor or a PrivateVector.
using PrivateString = std::basic_string<char, std::char_traits<char>, PrivateAllocator<char>>;

// How much memory the tensors, strings and plans that a thread makes may take together, until they are gone. A model
// decides what its nodes ask for, so a run must have a limit.
class MemoryBudget {
 public:
    explicit MemoryBudget(uint64_t limit) : limit_(limit) {}
    bool charge(uint64_t bytes);
    void refund(uint64_t bytes) { used_.fetch_sub(bytes, std::memory_order_relaxed); }
    uint64_t limit() const { return limit_; }

 private:
    std::atomic<uint64_t> used_{0};
    const uint64_t limit_;
};

// What the standard containers can say of a budget that has no more.
class OverBudget : public std::bad_alloc {
 public:
    const char* what() const noexcept override { return "the memory limit of this model is used up"; }
};

// Bytes that are charged to a budget as long as it exists; without a budget, any.
class MemoryCharge {
 public:
    MemoryCharge() = default;
    MemoryCharge(MemoryCharge&&) noexcept = default;
    MemoryCharge& operator=(MemoryCharge&&) = delete;
    ~MemoryCharge() {
        if (budget_) budget_->refund(bytes_);
    }
    // Once; false when the budget of this thread has no more.
    [[nodiscard]] bool take(uint64_t bytes);

 private:
    std::shared_ptr<MemoryBudget> budget_;
    uint64_t bytes_ = 0;
};

// While it exists, what this thread makes is charged to `budget`.
class BudgetScope {
 public:
    explicit BudgetScope(std::shared_ptr<MemoryBudget> budget);
    ~BudgetScope();
    BudgetScope(const BudgetScope&) = delete;
    BudgetScope& operator=(const BudgetScope&) = delete;
    static const std::shared_ptr<MemoryBudget>& current();  // empty: no limit

 private:
    std::shared_ptr<MemoryBudget> outer_;
};

}  // namespace coffer
