// How far a changed model is from the one it came from, on samples.
#pragma once

#include "offline/calibrate/samples.hpp"

namespace coffer::offline {

struct Fidelity {
    double cosine = 1;  // over all samples, of the worst output
    double snr_db = 200;
};

class Reference {
 public:
    // Runs `model` on `count` of the samples, evenly spread, and keeps its float outputs.
    static Result<Reference> of(const graph::Model& model, const Samples& samples, size_t count);
    // Runs `changed`, whose outputs are the same, on the same samples.
    Result<Fidelity> compare(const graph::Model& changed) const;

 private:
    const Samples* samples_ = nullptr;
    std::vector<std::vector<Tensor>> outputs_;  // by sample
};

}  // namespace coffer::offline
