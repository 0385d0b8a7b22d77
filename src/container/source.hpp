// Where a container is read from: a file, memory of the caller, or the caller's reader. Reads are by position
// only and fill the whole span or fail, so every byte is looked at in a private copy.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "coffer/base/bytes.hpp"
#include "coffer/base/error.hpp"
#include "coffer/base/os.hpp"

namespace coffer::container {

struct ReaderCallbacks {
    std::function<Result<uint64_t>()> size;
    std::function<Status(uint64_t offset, MutableBytes dst)> read_at;  // thread-safe
};

class Source {
 public:
    static Source file(std::string path);  // opened by open()
    static Source memory(Bytes bytes);     // borrowed
    static Source reader(ReaderCallbacks callbacks);

    // Opens the file and asks for the size, once. Call before size() and read_at().
    Status open();
    uint64_t size() const { return size_; }
    Status read_at(uint64_t offset, MutableBytes dst) const;

 private:
    Source() = default;
    std::string path_;
    std::shared_ptr<const os::File> file_;
    Bytes memory_;
    ReaderCallbacks callbacks_;
    enum class Kind : uint8_t { kFile, kMemory, kReader } kind_ = Kind::kMemory;
    uint64_t size_ = 0;
};

// The caller's way to run `n` independent tasks, possibly at once; returns when all are done. Default: one
// after the other.
struct ParallelFor {
    void* context = nullptr;
    void (*run)(void* context, size_t n, void (*task)(void* arg, size_t index), void* arg) = nullptr;

    template <class F>
    void operator()(size_t n, F&& body) const {
        if (!run) {
            for (size_t i = 0; i < n; ++i) body(i);
            return;
        }
        auto call = [](void* arg, size_t i) { (*static_cast<std::remove_reference_t<F>*>(arg))(i); };
        run(context, n, call, &body);
    }
};

}  // namespace coffer::container
