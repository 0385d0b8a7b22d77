#include "offline/calibrate/histogram.hpp"

#include <algorithm>
#include <cmath>

namespace coffer::offline {
namespace {

constexpr double kLevels = 255;
constexpr int kSteps = 60;         // shrunken ranges tried on each side
constexpr double kSmallest = 0.1;  // of the extremes

}  // namespace

bool Histogram::add(std::span<const float> values) {
    float low = 0, high = 0;
    for (const float v : values) {
        if (!std::isfinite(v)) return false;
        low = std::min(low, v);
        high = std::max(high, v);
    }
    count_ += values.size();
    if (low == high) return true;  // only zeros
    min_ = std::min(min_, low);
    max_ = std::max(max_, high);
    widen(low);
    widen(high);
    const double scale = 1 / width_;
    for (const float v : values) {
        if (v == 0) continue;
        const double at = (static_cast<double>(v) - low_) * scale;
        ++bins_[std::min(kBins - 1, static_cast<size_t>(std::max(0.0, at)))];
    }
    return true;
}

void Histogram::widen(float value) {
    if (bins_.empty()) {
        if (value == 0) return;
        bins_.assign(kBins, 0);
        low_ = std::min(value, 0.0f);
        width_ = std::max(std::fabs(static_cast<double>(value)) / kBins, 1e-300);
        return;
    }
    while (value < low_ || value > low_ + width_ * kBins) {
        const bool down = value < low_;
        std::vector<uint64_t> merged(kBins, 0);
        const size_t first = down ? kBins / 2 : 0;
        for (size_t i = 0; i < kBins; i += 2) merged[first + i / 2] = bins_[i] + bins_[i + 1];
        if (down) low_ -= width_ * kBins;
        width_ *= 2;
        bins_ = std::move(merged);
    }
}

double Histogram::error(Range range) const {
    if (count_ == 0 || bins_.empty()) return 0;
    const double step = (static_cast<double>(range.high) - range.low) / kLevels;
    const double rounding = step * step / 12;
    double sum = 0;
    for (size_t i = 0; i < kBins; ++i) {
        if (bins_[i] == 0) continue;
        const double x = std::clamp<double>(center(i), min_, max_);
        const double outside = x < range.low ? range.low - x : x > range.high ? x - range.high : 0;
        sum += static_cast<double>(bins_[i]) * (outside > 0 ? outside * outside : rounding);
    }
    return sum / static_cast<double>(count_);
}

Range Histogram::best() const {
    Range best = extremes();
    double least = error(best);
    const auto consider = [&](Range r) {
        const double e = error(r);
        if (e < least) {
            least = e;
            best = r;
        }
    };
    // Both ends together, then each end alone.
    const auto factor = [](int i) { return static_cast<float>(1 - (1 - kSmallest) * i / kSteps); };
    for (int i = 1; i <= kSteps; ++i) consider({min_ * factor(i), max_ * factor(i)});
    const Range both = best;
    for (int i = 0; i <= kSteps; ++i) consider({both.low, max_ * factor(i)});
    const Range upper = best;
    for (int i = 0; i <= kSteps; ++i) consider({min_ * factor(i), upper.high});
    return best;
}

Range Histogram::percentile(double fraction) const {
    if (bins_.empty()) return extremes();
    const double drop = fraction / 2 * static_cast<double>(count_);
    Range r = extremes();
    double below = 0;
    for (size_t i = 0; i < kBins && center(i) < 0; ++i) {
        below += static_cast<double>(bins_[i]);
        if (below > drop) {
            r.low = static_cast<float>(std::max<double>(min_, low_ + static_cast<double>(i) * width_));
            break;
        }
    }
    double above = 0;
    for (size_t i = kBins; i-- > 0 && center(i) > 0;) {
        above += static_cast<double>(bins_[i]);
        if (above > drop) {
            r.high = static_cast<float>(std::min<double>(max_, low_ + static_cast<double>(i + 1) * width_));
            break;
        }
    }
    return {std::min(r.low, 0.0f), std::max(r.high, 0.0f)};
}

}  // namespace coffer::offline
