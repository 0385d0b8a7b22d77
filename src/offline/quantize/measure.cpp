#include "offline/quantize/measure.hpp"

#include <algorithm>
#include <cmath>
#include <functional>

namespace coffer::offline {
namespace {

Status run_all(const graph::Model& model, const Samples& samples, size_t count,
               const std::function<Status(size_t sample, size_t output, const Tensor&)>& see) {
    COFFER_TRY_ASSIGN(const auto shared, runtime::Model::create(model));
    COFFER_TRY_ASSIGN(const auto runner, runtime::Runner::create(shared));
    for (size_t s = 0; s < count; ++s) {
        COFFER_TRY(run_sample(*runner, samples, s * samples.size() / count));
        for (size_t i = 0; i < shared->outputs().size(); ++i) COFFER_TRY(see(s, i, runner->output(i).tensor));
    }
    return {};
}

struct Sums {
    double dot = 0, reference = 0, changed = 0, noise = 0;
};

}  // namespace

Result<Reference> Reference::of(const graph::Model& model, const Samples& samples, size_t count) {
    Reference r;
    r.samples_ = &samples;
    r.outputs_.resize(std::min(count, samples.size()));
    COFFER_TRY(run_all(model, samples, r.outputs_.size(), [&](size_t s, size_t, const Tensor& t) -> Status {
        Tensor copy;
        if (t.valid() && t.dtype() == DType::kFloat) {
            COFFER_TRY_ASSIGN(copy, Tensor::create(t.dtype(), t.shape()));
            std::ranges::copy(t.span<const float>(), copy.view().as<float>());
        }
        r.outputs_[s].push_back(std::move(copy));
        return {};
    }));
    return r;
}

Result<Fidelity> Reference::compare(const graph::Model& changed) const {
    std::vector<Sums> sums;
    bool comparable = true;
    COFFER_TRY(run_all(changed, *samples_, outputs_.size(), [&](size_t s, size_t i, const Tensor& t) -> Status {
        const Tensor& wanted = outputs_[s][i];
        sums.resize(std::max(sums.size(), i + 1));
        if (!wanted.valid()) return {};
        if (!t.valid() || t.dtype() != wanted.dtype() || !(t.shape() == wanted.shape())) {
            comparable = false;
            return {};
        }
        for (int64_t k = 0; k < t.elements(); ++k) {
            const double a = wanted.view().as<const float>()[k], b = t.view().as<const float>()[k];
            sums[i].dot += a * b;
            sums[i].reference += a * a;
            sums[i].changed += b * b;
            sums[i].noise += (a - b) * (a - b);
        }
        return {};
    }));
    Fidelity f;
    for (const Sums& s : sums) {
        if (s.noise == 0) continue;
        const double cosine = s.dot / std::sqrt(s.reference * s.changed);
        f.cosine = std::min(f.cosine, std::isfinite(cosine) ? cosine : -1);
        const double snr = 10 * std::log10(s.reference / s.noise);
        f.snr_db = std::min(f.snr_db, std::isnan(snr) ? -200 : std::clamp(snr, -200.0, 200.0));
    }
    if (!comparable) f = {-1, -200};
    return f;
}

}  // namespace coffer::offline
