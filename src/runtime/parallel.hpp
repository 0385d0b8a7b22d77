// Fork-join over a fixed number of tasks: our own small pool, or the caller's. Tasks are split by unit ranges
// that do not depend on the number of threads, so neither do results.
#pragma once

#include <atomic>
#include <cstddef>
#include <memory>
#include <thread>
#include <vector>

namespace coffer::runtime {

using Task = void (*)(void* context, size_t task);

// Runs task(context, 0 .. count-1), each once, and returns when all are done.
class Parallel {
 public:
    virtual ~Parallel() = default;
    virtual unsigned threads() const = 0;
    virtual void run(size_t count, Task task, void* context) = 0;
};

// The caller of run() works too; `threads - 1` workers, started by the first run() that has work for them, wait in
// between (they spin for a few microseconds, then sleep). run() may be entered by one thread at a time.
class ThreadPool final : public Parallel {
 public:
    explicit ThreadPool(unsigned threads) : threads_(threads == 0 ? 1 : threads) {}
    ~ThreadPool() override;
    ThreadPool(const ThreadPool&) = delete;
    ThreadPool& operator=(const ThreadPool&) = delete;

    unsigned threads() const override { return threads_; }
    void run(size_t count, Task task, void* context) override;

 private:
    void start_workers();
    void work();
    void drain();

    unsigned threads_;
    std::vector<std::thread> workers_;
    std::atomic<Task> task_{nullptr};
    std::atomic<void*> context_{nullptr};
    std::atomic<uint32_t> count_{0};
    // The number of the run, and the next task of it; kClosed while the three above change.
    alignas(64) std::atomic<uint64_t> next_{0};
    alignas(64) std::atomic<uint32_t> generation_{0};  // changes when there is something to do
    alignas(64) std::atomic<uint32_t> left_{0};        // tasks that are not done
    std::atomic<bool> stop_{false};
};

// parallel_for supplied by the caller of the library; must run every task, in any order, on any thread.
class CallerParallel final : public Parallel {
 public:
    using Function = void (*)(void* user, size_t count, Task task, void* context);
    CallerParallel(Function function, void* user, unsigned threads)
        : function_(function), user_(user), threads_(threads) {}
    unsigned threads() const override { return threads_; }
    void run(size_t count, Task task, void* context) override { function_(user_, count, task, context); }

 private:
    Function function_;
    void* user_;
    unsigned threads_;
};

}  // namespace coffer::runtime
