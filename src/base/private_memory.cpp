#include "coffer/base/private_memory.hpp"

#include <algorithm>
#include <bit>
#include <mutex>
#include <new>
#include <vector>

#include "coffer/base/checked.hpp"
#include "coffer/base/os.hpp"

namespace coffer {
namespace {

constexpr size_t kAlign = 64;
constexpr size_t kSlab = size_t{1} << 20;
constexpr size_t kLargestCell = size_t{64} << 10;
// Freed pages of large pieces that are kept for the next ones.
constexpr size_t kKept = size_t{16} << 20;

// Sizes 64, 128, 192, 256, then four steps in every doubling.
constexpr size_t cell_class(size_t size) {
    const size_t units = (std::max<size_t>(size, 1) + kAlign - 1) / kAlign;
    if (units <= 4) return units - 1;
    const size_t exponent = std::bit_width(units - 1) - 3;  // units in (4 << exponent, 8 << exponent]
    const size_t step = (units - 1) >> exponent;            // 4 to 7
    return 4 * exponent + step;
}
constexpr size_t cell_size(size_t index) {
    if (index < 4) return (index + 1) * kAlign;
    const size_t exponent = (index - 4) / 4, step = (index - 4) % 4 + 4;
    return ((step + 1) << exponent) * kAlign;
}
constexpr size_t kClasses = cell_class(kLargestCell) + 1;
static_assert(cell_size(cell_class(1)) == 64 && cell_size(cell_class(257)) == 320 &&
              cell_size(cell_class(kLargestCell)) == kLargestCell);

struct FreeCell {
    FreeCell* next;
};

class Heap {
 public:
    // Never destroyed: tensors with static lifetime may be released after it would be.
    static Heap& instance() {
        static Heap* const heap = new Heap;
        return *heap;
    }

    void* take_cell(size_t index) {
        const std::lock_guard lock(mutex_);
        if (FreeCell* cell = free_[index]) {
            free_[index] = cell->next;
            cell->next = nullptr;
            return cell;
        }
        const size_t size = cell_size(index);
        if (slabs_.empty() || kSlab - used_ < size) {
            auto pages = os::Pages::allocate(kSlab, os::Pages::kPlain);
            if (!pages.ok()) return nullptr;
            slabs_.push_back(std::move(pages).value());
            used_ = 0;
        }
        void* cell = slabs_.back().data() + used_;
        used_ += size;
        return cell;
    }
    void put_cell(void* memory, size_t index) {
        os::wipe(memory, cell_size(index));
        const std::lock_guard lock(mutex_);
        free_[index] = new (memory) FreeCell{free_[index]};
    }

    // Pages that know themselves: their owner lies in their first 64 bytes.
    void* take_pages(size_t size) {
        size_t total;
        if (!checked_add(size, kAlign, &total)) return nullptr;
        os::Pages pages = take_kept(total);
        if (pages.data() == nullptr) {
            auto fresh = os::Pages::allocate(total, os::Pages::kHuge);
            if (!fresh.ok()) return nullptr;
            pages = std::move(fresh).value();
        }
        std::byte* data = pages.data();
        new (data) os::Pages(std::move(pages));
        return data + kAlign;
    }
    void put_pages(void* memory) {
        auto* place = reinterpret_cast<os::Pages*>(static_cast<std::byte*>(memory) - kAlign);
        os::Pages pages = std::move(*place);
        place->~Pages();
        if (pages.size() > kKept / 4) return;
        os::wipe(pages.data(), pages.size());
        const std::lock_guard lock(mutex_);
        kept_bytes_ += pages.size();
        std::swap(kept_[oldest_], pages);
        oldest_ = (oldest_ + 1) % std::size(kept_);
        kept_bytes_ -= pages.size();
        for (size_t i = oldest_; kept_bytes_ > kKept; i = (i + 1) % std::size(kept_)) {
            kept_bytes_ -= kept_[i].size();
            os::Pages().operator=(std::move(kept_[i]));
        }
    }

 private:
    // The best fit that wastes at most a quarter.
    os::Pages take_kept(size_t size) {
        const std::lock_guard lock(mutex_);
        os::Pages* best = nullptr;
        for (os::Pages& pages : kept_) {
            if (pages.size() < size || pages.size() > size + size / 4) continue;
            if (!best || pages.size() < best->size()) best = &pages;
        }
        os::Pages out;
        if (best) {
            std::swap(out, *best);
            kept_bytes_ -= out.size();
        }
        return out;
    }

    std::mutex mutex_;
    FreeCell* free_[kClasses] = {};
    std::vector<os::Pages> slabs_;
    size_t used_ = 0;  // of the last slab
    os::Pages kept_[16];
    size_t oldest_ = 0;
    size_t kept_bytes_ = 0;
};

}  // namespace

static_assert(sizeof(os::Pages) <= kAlign);

#ifdef COFFER_ADDRESS_SANITIZER
// The sanitizer finds overruns and uses after release only of pieces that it knows.
void* allocate_private(size_t size) noexcept {
    void* memory = ::operator new (std::max<size_t>(size, 1), std::align_val_t{kAlign}, std::nothrow);
    if (memory) std::fill_n(static_cast<char*>(memory), size, 0);
    return memory;
}
void release_private(void* memory, size_t) noexcept {
    ::operator delete (memory, std::align_val_t{kAlign});
}
#else
void* allocate_private(size_t size) noexcept {
    try {
        Heap& heap = Heap::instance();
        return size <= kLargestCell ? heap.take_cell(cell_class(size)) : heap.take_pages(size);
    } catch (const std::bad_alloc&) {
        return nullptr;
    }
}
void release_private(void* memory, size_t size) noexcept {
    if (!memory) return;
    Heap& heap = Heap::instance();
    if (size <= kLargestCell) return heap.put_cell(memory, cell_class(size));
    heap.put_pages(memory);
}
#endif

void* allocate_private_or_throw(size_t size) {
    void* memory = allocate_private(size);
    if (!memory) throw std::bad_alloc();
    return memory;
}

namespace {
// In front of the characters: the budget that text is within, if any.
using TextOwner = std::shared_ptr<MemoryBudget>;
}  // namespace

char* allocate_text_or_throw(size_t size) {
    size_t total;
    if (!checked_add(size, sizeof(TextOwner), &total)) throw std::bad_alloc();
    const TextOwner& budget = BudgetScope::current();
    if (budget && !budget->charge(total)) throw OverBudget();
    void* memory = allocate_private(total);
    if (!memory) {
        if (budget) budget->refund(total);
        throw std::bad_alloc();
    }
    return reinterpret_cast<char*>(new (memory) TextOwner(budget) + 1);
}
void release_text(char* text, size_t size) noexcept {
    auto* const owner = reinterpret_cast<TextOwner*>(text) - 1;
    if (*owner) (*owner)->refund(size + sizeof(TextOwner));
    owner->~TextOwner();
    release_private(owner, size + sizeof(TextOwner));
}

bool MemoryBudget::charge(uint64_t bytes) {
    uint64_t used = used_.load(std::memory_order_relaxed);
    do {
        if (bytes > limit_ || used > limit_ - bytes) return false;
    } while (!used_.compare_exchange_weak(used, used + bytes, std::memory_order_relaxed));
    return true;
}

namespace {
thread_local std::shared_ptr<MemoryBudget> current_budget;
}

BudgetScope::BudgetScope(std::shared_ptr<MemoryBudget> budget) : outer_(std::move(budget)) {
    std::swap(outer_, current_budget);
}
BudgetScope::~BudgetScope() {
    std::swap(outer_, current_budget);
}
bool MemoryCharge::take(uint64_t bytes) {
    const std::shared_ptr<MemoryBudget>& budget = BudgetScope::current();
    if (!budget) return true;
    if (!budget->charge(bytes)) return false;
    budget_ = budget;
    bytes_ = bytes;
    return true;
}
const std::shared_ptr<MemoryBudget>& BudgetScope::current() {
    return current_budget;
}

}  // namespace coffer
