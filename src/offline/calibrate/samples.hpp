// Samples to calibrate and measure with: a folder of .npy files, or made up. One sample is in memory at a time.
#pragma once

#include <string>
#include <vector>

#include "runtime/runner.hpp"

namespace coffer::offline {

class Samples {
 public:
    // DIR/*.npy for a model of one input, else DIR/<sample>/<input>.npy ('/' in a name as '_'), in the order of
    // their names. Inputs that the runner holds as state are not asked for.
    static Result<Samples> open(const runtime::Model& model, const std::string& folder);
    // Random values of the declared types; free dimensions become small numbers.
    static Samples synthetic(const runtime::Model& model, size_t count);

    size_t size() const { return names_.size(); }
    const std::string& name(size_t i) const { return names_[i]; }
    // The inputs of sample `i`, in the order of Model::inputs().
    Result<std::vector<Tensor>> load(size_t i) const;

 private:
    struct Input {
        std::string name;
        graph::Type type;
    };
    Result<Tensor> read(const std::string& path, const Input& input) const;
    Result<Tensor> make(size_t sample, size_t input) const;

    std::string folder_;     // empty: synthetic
    bool one_file_ = false;  // a sample is a file
    std::vector<std::string> names_;
    std::vector<Input> inputs_;
};

// Runs sample `i`; errors name it.
Status run_sample(runtime::Runner& runner, const Samples& samples, size_t i);

}  // namespace coffer::offline
