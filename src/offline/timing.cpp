#include "offline/timing.hpp"

#include <algorithm>

#include "coffer/base/os.hpp"

namespace coffer::offline {
namespace {

constexpr size_t kMinRuns = 10, kMaxRuns = 100'000;
constexpr uint64_t kMinNs = 1'000'000'000;

}  // namespace

double Timing::percentile(const std::vector<double>& sorted, double p) {
    if (sorted.empty()) return 0;
    return sorted[std::min(sorted.size() - 1, static_cast<size_t>(p * static_cast<double>(sorted.size())))];
}

Result<Timing> time_runs(runtime::Runner& runner, unsigned repeat) {
    Timing timing;
    const uint64_t start = os::monotonic_ns();
    const auto enough = [&] {
        if (repeat > 0) return timing.runs() >= repeat;
        if (timing.runs() < kMinRuns) return false;
        return timing.runs() >= kMaxRuns || os::monotonic_ns() - start >= kMinNs;
    };
    while (!enough()) {
        const uint64_t wall = os::monotonic_ns(), cpu = os::process_cpu_ns();
        COFFER_TRY(runner.run());
        timing.cpu_ms.push_back(static_cast<double>(os::process_cpu_ns() - cpu) / 1e6);
        timing.wall_ms.push_back(static_cast<double>(os::monotonic_ns() - wall) / 1e6);
    }
    std::ranges::sort(timing.wall_ms);
    std::ranges::sort(timing.cpu_ms);
    return timing;
}

}  // namespace coffer::offline
