#include "runtime/weights.hpp"

#include <algorithm>

namespace coffer::runtime {
namespace {
constexpr size_t kShared = size_t{256} << 10;
}

Result<std::byte*> WeightStore::allocate(size_t bytes) {
    const size_t size = round_up<size_t>(std::max<size_t>(bytes, 1), 64);
    if (pages_.empty() || pages_.back().size() - used_ < size) {
        const size_t wanted = size >= kShared / 4 ? size : kShared;
        COFFER_TRY_ASSIGN(os::Pages pages, os::Pages::allocate(wanted, os::Pages::kHuge));
        if (size >= kShared / 4 && !pages_.empty()) {
            // Keep filling the shared pages afterwards.
            std::byte* data = pages.data();
            pages_.insert(pages_.end() - 1, std::move(pages));
            return data;
        }
        pages_.push_back(std::move(pages));
        used_ = 0;
    }
    std::byte* data = pages_.back().data() + used_;
    used_ += size;
    return data;
}

Result<const void*> WeightStore::packed(const TensorView& src, std::string_view form, size_t bytes, Pack pack,
                                        const void* arg) {
    const std::lock_guard lock(mutex_);
    const Key key{src.data, std::string(form)};
    if (const auto it = forms_.find(key); it != forms_.end()) return it->second;
    COFFER_TRY_ASSIGN(std::byte* data, allocate(bytes));
    COFFER_TRY(pack(src, data, arg));
    total_ += bytes;
    forms_.emplace(key, data);
    return static_cast<const void*>(data);
}

size_t WeightStore::packed_bytes() const {
    const std::lock_guard lock(mutex_);
    return total_;
}

}  // namespace coffer::runtime
