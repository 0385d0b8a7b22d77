// The weights of a model while it runs: bytes are opened when a plan first needs them, packed once per form that
// kernels want, shared by all runners, wiped at the end. A tensor that was packed by moving its bytes about is not
// kept twice: when no planned node looks at its own bytes any more, later tensors are packed into their place, the
// system gets what is left where that is worth a call, and should a later plan need the tensor, it is worked out from
// the packed bytes. One that is stored narrow and only packed never has elements of its own. No chunk of the file is
// opened twice.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>
#include <utility>

#include "coffer/base/os.hpp"
#include "coffer/base/tensor.hpp"
#include "container/manifest.hpp"
#include "container/payload.hpp"
#include "runtime/parallel.hpp"

namespace coffer::runtime {

class WeightStore {
 public:
    using Pack = Status (*)(const TensorView& src, void* dst, const void* arg);

    // Where a model's constants are; without a payload they are all there, and stay.
    struct Home {
        std::shared_ptr<container::Payload> payload;
        container::DecodedTensors decoded;
        unsigned page_flags = os::Pages::kHuge;  // kLock: packed forms must be locked in memory too
    };
    // `max_memory` bounds all packed forms together.
    void bind(Home home, size_t constant_bytes, uint64_t max_memory);

    // Plans of a model are made one at a time: between begin() and the end of the Planning no bytes that open() gave
    // are taken away by another thread.
    class Planning {
     public:
        explicit Planning(WeightStore* store) : store_(store) {}
        Planning(Planning&& other) noexcept : store_(std::exchange(other.store_, nullptr)) {}
        Planning& operator=(Planning&&) = delete;
        ~Planning() {
            if (store_) store_->end();
        }

     private:
        WeightStore* store_;
    };
    Result<Planning> begin(Parallel* parallel = nullptr);

    // The bytes of a constant are there: until the end of the planning, or for good. Other tensors always are.
    // It goes by the address it had in the model; what is returned tells where the bytes are now.
    Result<TensorView> open(const TensorView& constant);
    Result<TensorView> keep(const TensorView& constant);
    // False when open() would have work to do.
    bool is_open(const TensorView& constant) const;

    // The packed form of the constant whose bytes start at `src.data`; made by `pack` the first time it is
    // asked for. The pointer lives as long as the store.
    Result<const void*> packed(const TensorView& src, std::string_view form, size_t bytes, Pack pack,
                               const void* arg);
    // The same for a `pack` that moves every byte of the tensor (ops::PlanContext::moved()); release() may follow.
    Result<const void*> moved(const TensorView& src, std::string_view form, size_t bytes, Pack pack, const void* arg,
                              size_t arg_bytes);
    // No node of the plan being made looks at this constant's own bytes any more. Small ones stay: every analysis
    // opens them.
    static constexpr size_t kSmall = size_t{4} << 10;
    void release(const TensorView& constant);

    // What went wrong when weights were opened on demand. Nothing that was computed since is worth anything.
    Status failure() const { return home_.payload ? home_.payload->failure() : Status(); }

    size_t packed_bytes() const;
    size_t own_bytes() const;     // of constants that are in use in their own form
    size_t staged_bytes() const;  // of the largest one that was decoded to be packed

 private:
    struct Key {
        const void* data;
        std::string form;
        auto operator<=>(const Key&) const = default;
    };
    struct Form {
        const std::byte* data = nullptr;
        size_t bytes = 0;
        Pack pack = nullptr;
        std::vector<std::byte> arg;  // of forms that moved bytes
    };
    struct Constant {
        enum State : uint8_t { kStored, kOpen, kReleased } state = kStored;
        bool kept = false;
        const Form* moved = nullptr;
        std::byte* data = nullptr;  // where its bytes are, or were
        size_t nbytes = 0;
        const container::TensorRecord* narrow = nullptr;  // how it is stored, when not plainly
    };
    struct Block {
        os::Pages pages;
        size_t used = 0;
    };

    void end();
    bool holds(const void* data) const;
    bool is_stored(const void* data) const;
    Constant* find(const TensorView& constant);  // nullptr: not ours
    Result<TensorView> open(const TensorView& view, Constant* constant);
    Status fetch(const TensorView& view, Constant& constant);
    Result<container::TensorRecord> open_chunks(const TensorView& view, const Constant& constant);
    Result<TensorView> staged(const TensorView& view, const Constant& constant);
    Status restore(const TensorView& view, Constant& constant);
    Block* block_of(const void* data);
    std::pair<os::Pages*, Bytes> arena_of(const void* data);
    bool allow_writing(const void* data);
    void vacate(const std::byte* data, size_t bytes);
    bool take_back(const TensorView& view, Constant& constant);
    void give_back();
    enum Where { kAnywhere, kInBlocks };
    Result<std::byte*> allocate(size_t bytes, Where where);
    Result<os::Pages> allocate_pages(size_t bytes) const;
    Result<Form*> form(const TensorView& src, std::string_view form, size_t bytes, Pack pack, const void* arg,
                       bool moves);

    mutable std::recursive_mutex mutex_;
    Home home_;
    size_t constant_bytes_ = 0;
    bool lazy_ = false;             // not everything was open when it was bound
    Parallel* parallel_ = nullptr;  // while planning
    os::Pages staging_;             // the elements of one constant after the other
    size_t staging_bytes_ = 0;      // of the largest constant that may be staged
    size_t most_staged_ = 0;        // of the largest that was
    int planning_ = 0;              // depth
    std::map<Key, Form> forms_;
    std::unordered_map<const void*, Constant> constants_;
    std::map<uintptr_t, uintptr_t> free_;  // released bytes, nothing in their place yet: begin -> end, merged
    MutableBytes spare_;                   // what the last page of the payload holds beside it; nothing in it yet
    std::vector<Block> blocks_;
    size_t total_ = 0;  // bytes of packed forms
    uint64_t max_memory_ = ~uint64_t{0};
};

}  // namespace coffer::runtime
