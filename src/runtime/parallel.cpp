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

// A system that gives no more threads gives fewer: the caller of run() works alone if it must.
ThreadPool::ThreadPool(unsigned threads) {
    workers_.reserve(threads > 0 ? threads - 1 : 0);
    try {
        for (unsigned i = 1; i < threads; ++i) workers_.emplace_back([this] { work(); });
    } catch (const std::exception&) {
    }
}

ThreadPool::~ThreadPool() {
    stop_.store(true);
    generation_.fetch_add(1);
    generation_.notify_all();
    for (std::thread& worker : workers_) worker.join();
}

void ThreadPool::drain() {
    for (size_t i = next_.fetch_add(1); i < count_; i = next_.fetch_add(1)) task_(context_, i);
}

void ThreadPool::run(size_t count, Task task, void* context) {
    if (workers_.empty() || count <= 1) {
        for (size_t i = 0; i < count; ++i) task(context, i);
        return;
    }
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
