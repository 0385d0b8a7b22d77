// How long a run takes.
#pragma once

#include <vector>

#include "runtime/runner.hpp"

namespace coffer::offline {

struct Timing {
    std::vector<double> wall_ms, cpu_ms;  // per run, sorted

    size_t runs() const { return wall_ms.size(); }
    double median_ms() const { return percentile(wall_ms, 0.5); }
    static double percentile(const std::vector<double>& sorted, double p);
};

// Runs what is bound: `repeat` times or, when that is 0, ten times and for a second.
Result<Timing> time_runs(runtime::Runner& runner, unsigned repeat = 0);

}  // namespace coffer::offline
