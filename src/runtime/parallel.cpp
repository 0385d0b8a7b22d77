#include "runtime/parallel.hpp"

#if defined(__x86_64__) || defined(__i386__)
#include <immintrin.h>
#endif

namespace coffer::runtime {
namespace {

constexpr int kSpins = 2000;  // a few microseconds

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

void ThreadPool::drain() {
    for (size_t i = next_.fetch_add(1); i < count_; i = next_.fetch_add(1)) task_(context_, i);
}

void ThreadPool::run(size_t count, Task task, void* context) {
    if (threads_ <= 1 || count <= 1) {
        for (size_t i = 0; i < count; ++i) task(context, i);
        return;
    }
    start_workers();
    task_ = task;
    context_ = context;
    count_ = count;
    next_.store(0);
    busy_.store(static_cast<uint32_t>(workers_.size()));
    generation_.fetch_add(1);
    generation_.notify_all();
    drain();
    // Every worker takes part in every generation, so that none can still hold this run's task later.
    for (int spin = 0; spin < kSpins; ++spin) {
        if (busy_.load() == 0) return;
        relax();
    }
    for (uint32_t b = busy_.load(); b != 0; b = busy_.load()) busy_.wait(b);
}

void ThreadPool::work() {
    uint32_t seen = 0;
    while (true) {
        for (int spin = 0; spin < kSpins && generation_.load() == seen; ++spin) relax();
        generation_.wait(seen);
        seen = generation_.load();
        if (stop_.load()) return;
        drain();
        if (busy_.fetch_sub(1) == 1) busy_.notify_all();
    }
}

}  // namespace coffer::runtime
