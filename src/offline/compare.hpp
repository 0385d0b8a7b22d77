// Sealed files beside the model they were made from: size, time, memory, and how far the outputs are apart.
#pragma once

#include <functional>
#include <limits>
#include <string>
#include <vector>

#include "offline/calibrate/samples.hpp"

namespace coffer::offline {

struct Loading {
    std::shared_ptr<const runtime::Model> model;
    uint64_t file_bytes = 0;
};

// One side of the comparison. `load` is called once, and timed.
struct Contender {
    std::string name;
    std::function<Result<Loading>()> load;
};

// Sums over the elements of one output and all samples.
class Score {
 public:
    // Of the same type and shape; other outputs are an error of the caller. Equal elements (also NaN to NaN) are
    // no noise. Complex numbers are two numbers.
    void add(const TensorView& reference, const TensorView& got);

    // False while nothing was compared: no tensors, or without elements.
    bool any() const { return numbers_ > 0 || rows_ > 0; }
    bool numeric() const { return numbers_ > 0; }
    bool exact() const { return any() && different_ == 0; }
    double snr_db() const;  // infinite when exact
    double cosine() const;
    double max_error() const { return max_error_; }
    // Rows along the last axis whose largest element is at the same place; for integers and text, equal elements.
    bool ranked() const { return rows_ > 0; }
    double top1() const { return static_cast<double>(same_rows_) / static_cast<double>(rows_); }

 private:
    void add_numbers(const TensorView& reference, const TensorView& got);
    void add_rows(const TensorView& reference, const TensorView& got);

    uint64_t numbers_ = 0, different_ = 0, rows_ = 0, same_rows_ = 0;
    double signal_ = 0, noise_ = 0, product_ = 0, got_square_ = 0, max_error_ = 0;
};

struct OutputScore {
    std::string name;
    Score score;
};

struct Measured {
    std::string name;
    uint64_t file_bytes = 0;
    double load_ms = 0, median_ms = 0, cpu_ms = 0;
    uint64_t peak_bytes = 0;           // while it was loaded and run, beyond what was there before; 0: unknown
    std::vector<OutputScore> outputs;  // none for the reference itself
};

struct CompareOptions {
    unsigned threads = 0;
    std::function<void(const std::string&)> progress;  // may be empty
};

struct Comparison {
    size_t samples = 0;
    std::vector<Measured> entries;  // the reference first
};

// The first contender is the reference. Samples are read for its inputs.
Result<Comparison> compare(const std::vector<Contender>& contenders, const std::string& folder,
                           const CompareOptions& options = {});

}  // namespace coffer::offline
