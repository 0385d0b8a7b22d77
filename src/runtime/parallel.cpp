#include "runtime/parallel.hpp"

#if defined(__x86_64__) || defined(__i386__)
#include <immintrin.h>
#endif

namespace coffer::runtime {
namespace {

constexpr int kSpins = 2000;  // a few microseconds
constexpr uint64_t kClosed = 0xffffffff;

inline void relax() {
#if defined(__x86_64__) || defined(__i386__)
    _mm_pause();
#endif
}

}  // namespace

ThreadPool::~ThreadPool() {
    stop_.store(true);
    generation_.fetch_add(1);
    generation_.notify_all();
    for (std::thread& worker : workers_) worker.join();
}

// A system that gives no more threads gives fewer: the caller of run() works alone if it must.
void ThreadPool::start_workers() {
    if (workers_.size() + 1 >= threads_) return;
    try {
        workers_.reserve(threads_ - 1);
        while (workers_.size() + 1 < threads_) workers_.emplace_back([this] { work(); });
    } catch (const std::exception&) {
        threads_ = static_cast<unsigned>(workers_.size()) + 1;
    }
}

// Takes tasks until there are none. Who claims a task knows that next_ has not changed since he read what belongs to
// it, and run() does not return before that task is done: a worker that wakes late, for a run that is over, finds
// nothing, and nobody waits for it.
void ThreadPool::drain() {
    while (true) {
        uint64_t next = next_.load(std::memory_order_acquire);
        const Task task = task_.load(std::memory_order_acquire);
        void* const context = context_.load(std::memory_order_acquire);
        const auto i = static_cast<uint32_t>(next);
        if (i >= count_.load(std::memory_order_acquire)) return;
        if (!next_.compare_exchange_weak(next, next + 1, std::memory_order_acq_rel)) continue;
        task(context, i);
        if (left_.fetch_sub(1, std::memory_order_acq_rel) == 1) left_.notify_all();
    }
}

void ThreadPool::run(size_t count, Task task, void* context) {
    if (threads_ <= 1 || count <= 1 || count >= kClosed) {
        for (size_t i = 0; i < count; ++i) task(context, i);
        return;
    }
    start_workers();
    const uint64_t number = (next_.load(std::memory_order_relaxed) | kClosed) + 1;  // of this run, in the upper half
    next_.store(number | kClosed, std::memory_order_release);
    task_.store(task, std::memory_order_release);
    context_.store(context, std::memory_order_release);
    count_.store(static_cast<uint32_t>(count), std::memory_order_release);
    left_.store(static_cast<uint32_t>(count), std::memory_order_release);
    next_.store(number, std::memory_order_release);
    generation_.fetch_add(1);
    generation_.notify_all();
    drain();
    for (int spin = 0; spin < kSpins; ++spin) {
        if (left_.load(std::memory_order_acquire) == 0) return;
        relax();
    }
    for (uint32_t n = left_.load(); n != 0; n = left_.load()) left_.wait(n);
}

void ThreadPool::work() {
    uint32_t seen = 0;
    while (true) {
        for (int spin = 0; spin < kSpins && generation_.load() == seen; ++spin) relax();
        generation_.wait(seen);
        seen = generation_.load();
        if (stop_.load()) return;
        drain();
    }
}

}  // namespace coffer::runtime
