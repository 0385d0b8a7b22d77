// What values a tensor takes, seen in one pass and constant memory; and the range that quantizes them best.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace coffer::offline {

struct Range {
    float low = 0, high = 0;  // low <= 0 <= high
};

// Bins of equal width over a range that includes zero. A value outside doubles the range: bins merge in pairs.
class Histogram {
 public:
    static constexpr size_t kBins = 2048;

    // False when a value is NaN or infinite; then nothing is added.
    bool add(std::span<const float> values);

    uint64_t count() const { return count_; }
    // Of all values and zero.
    Range extremes() const { return {min_, max_}; }
    // Mean squared error of 8-bit quantization to `range`: rounding inside, clipping outside.
    double error(Range range) const;
    // The range with the least error, at most the extremes.
    Range best() const;
    // Leaves out `fraction` of the values, counted from both ends.
    Range percentile(double fraction) const;

 private:
    void widen(float value);
    double center(size_t bin) const { return low_ + (static_cast<double>(bin) + 0.5) * width_; }

    std::vector<uint64_t> bins_;  // empty until a value is not zero
    double low_ = 0, width_ = 0;
    float min_ = 0, max_ = 0;
    uint64_t count_ = 0;  // with zeros, which every range represents exactly and no bin counts
};

}  // namespace coffer::offline
