// Weights in the forms kernels want them: packed once per model, shared by all runners, wiped at the end.
#pragma once

#include <map>
#include <mutex>
#include <string>

#include "coffer/base/os.hpp"
#include "coffer/base/tensor.hpp"

namespace coffer::runtime {

class WeightStore {
   public:
    using Pack = Status (*)(const TensorView& src, void* dst, const void* arg);
    // The packed form of the constant whose bytes start at `src.data`; made by `pack` the first time it is
    // asked for. The pointer lives as long as the store. Thread-safe.
    Result<const void*> packed(const TensorView& src, std::string_view form, size_t bytes, Pack pack, const void* arg);
    size_t packed_bytes() const;

   private:
    struct Key {
        const void* data;
        std::string form;
        auto operator<=>(const Key&) const = default;
    };
    // Small forms share pages: a model may have thousands.
    Result<std::byte*> allocate(size_t bytes);

    mutable std::mutex mutex_;
    std::map<Key, const void*> forms_;
    std::vector<os::Pages> pages_;
    size_t used_ = 0;  // of the last pages
    size_t total_ = 0;
};

}  // namespace coffer::runtime
