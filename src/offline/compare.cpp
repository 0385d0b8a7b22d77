#include "offline/compare.hpp"

#include <cmath>

#include "coffer/base/os.hpp"
#include "offline/timing.hpp"

namespace coffer::offline {
namespace {

using runtime::Model;
using runtime::Runner;

bool equal(double a, double b) {
    return a == b || (std::isnan(a) && std::isnan(b));
}

// The first of the largest; NaN is never larger.
int64_t argmax(const TensorView& t, int64_t begin, int64_t count) {
    int64_t best = 0;
    for (int64_t i = 1; i < count; ++i) {
        if (load_double(t, begin + i) > load_double(t, begin + best)) best = i;
    }
    return best;
}

bool is_complex(DType t) {
    return t == DType::kComplex64 || t == DType::kComplex128;
}

// Real and imaginary parts, as numbers of their own.
TensorView parts(const TensorView& t) {
    TensorView view = t;
    view.dtype = t.dtype == DType::kComplex64 ? DType::kFloat : DType::kDouble;
    view.shape = Shape{2 * t.elements()};
    return view;
}

}  // namespace

void Score::add(const TensorView& reference, const TensorView& got) {
    if (reference.dtype == DType::kString) {
        for (int64_t i = 0; i < reference.elements(); ++i) {
            const bool same = reference.as<PrivateString>()[i] == got.as<PrivateString>()[i];
            ++rows_;
            same_rows_ += same;
            different_ += !same;
        }
        return;
    }
    if (is_complex(reference.dtype)) return add_numbers(parts(reference), parts(got));
    add_numbers(reference, got);
    add_rows(reference, got);
}

void Score::add_numbers(const TensorView& reference, const TensorView& got) {
    numbers_ += static_cast<uint64_t>(reference.elements());
    for (int64_t i = 0; i < reference.elements(); ++i) {
        const double a = load_double(reference, i), b = load_double(got, i);
        if (equal(a, b)) {
            if (!std::isfinite(a)) continue;
        } else {
            ++different_;
            noise_ += (a - b) * (a - b);
            max_error_ = std::max(max_error_, std::fabs(a - b));
        }
        signal_ += a * a;
        got_square_ += b * b;
        product_ += a * b;
    }
}

void Score::add_rows(const TensorView& reference, const TensorView& got) {
    if (!is_floating(reference.dtype)) {
        for (int64_t i = 0; i < reference.elements(); ++i) {
            ++rows_;
            same_rows_ += load_int(reference, i) == load_int(got, i);
        }
        return;
    }
    const auto dims = reference.shape.dims();
    if (dims.empty() || dims.back() < 2) return;
    for (int64_t begin = 0; begin < reference.elements(); begin += dims.back()) {
        ++rows_;
        same_rows_ += argmax(reference, begin, dims.back()) == argmax(got, begin, dims.back());
    }
}

double Score::snr_db() const {
    if (exact()) return std::numeric_limits<double>::infinity();
    return 10 * std::log10(signal_ / noise_);
}

double Score::cosine() const {
    if (exact()) return 1;
    return product_ / std::sqrt(signal_ * got_square_);
}

namespace {

struct Runs {
    std::unique_ptr<Runner> runner;
    std::vector<size_t> from;       // per input of its model: the input of the reference
    std::vector<size_t> reference;  // per score: the output of the reference, and
    std::vector<size_t> own;        // its own
};

std::string names(const Model& model, bool inputs) {
    std::string text;
    const size_t count = inputs ? model.inputs().size() : model.outputs().size();
    for (size_t i = 0; i < count; ++i) text += " '" + (inputs ? model.input(i) : model.output(i)).name + "'";
    return text;
}

// What runners hold as state is among the inputs and outputs again, so that each sample gives it and it is scored.
Result<std::shared_ptr<const Model>> without_states(const std::shared_ptr<const Model>& model) {
    graph::Model graph = model->graph();
    graph.states.clear();
    return Model::create(std::move(graph), model->options());
}

// By name: a sealed file may hold some of the reference's inputs and outputs as state.
Status match(const Model& reference, const std::string& name, Runs& runs, std::vector<OutputScore>& scores) {
    const Model& model = runs.runner->model();
    for (size_t i = 0; i < model.inputs().size(); ++i) {
        const size_t at = reference.find_input(model.input(i).name);
        if (at == Model::kNotFound) {
            return error(Code::kInvalidArgument, "'", name, "' has the input '", model.input(i).name,
                         "', the reference has", names(reference, true), ": not the same model");
        }
        runs.from.push_back(at);
    }
    for (size_t i = 0; i < model.outputs().size(); ++i) {
        const size_t at = reference.find_output(model.output(i).name);
        if (at == Model::kNotFound) {
            return error(Code::kInvalidArgument, "'", name, "' has the output '", model.output(i).name,
                         "', the reference has", names(reference, false), ": not the same model");
        }
        runs.own.push_back(i);
        runs.reference.push_back(at);
        scores.push_back({model.output(i).name, {}});
    }
    return {};
}

Status run_on(Runs& runs, const std::vector<Tensor>& tensors) {
    COFFER_TRY(runs.runner->reset());
    for (size_t k = 0; k < runs.from.size(); ++k) {
        COFFER_TRY(runs.runner->bind_input(k, Value(tensors[runs.from[k]])));
    }
    return runs.runner->run();
}

Status score_outputs(const Runner& reference, const Runs& runs, std::vector<OutputScore>& scores) {
    for (size_t k = 0; k < scores.size(); ++k) {
        const Value &want = reference.output(runs.reference[k]), &got = runs.runner->output(runs.own[k]);
        if (want.kind != ValueKind::kTensor || got.kind != ValueKind::kTensor) continue;
        const TensorView &a = want.tensor.view(), &b = got.tensor.view();
        if (a.dtype != b.dtype || a.shape != b.shape) {
            return error(Code::kInvalidArgument, "output '", scores[k].name, "' is ", dtype_name(b.dtype), b.shape,
                         ", the reference gives ", dtype_name(a.dtype), a.shape);
        }
        scores[k].score.add(a, b);
    }
    return {};
}

double milliseconds_since(uint64_t begin) {
    return static_cast<double>(os::monotonic_ns() - begin) / 1e6;
}

}  // namespace

Result<Comparison> compare(const std::vector<Contender>& contenders, const std::string& folder,
                           const CompareOptions& options) {
    const auto say = [&](const std::string& text) {
        if (options.progress) options.progress(text);
    };
    Comparison result;
    std::vector<Runs> all;
    Samples samples;
    std::vector<Tensor> tensors;
    for (const Contender& contender : contenders) {
        say("load and time " + contender.name);
        Measured m;
        m.name = contender.name;
        const uint64_t before = os::resident_memory_bytes();
        const bool peak_known = os::reset_peak_memory();
        const uint64_t begin = os::monotonic_ns();
        COFFER_TRY_ASSIGN(Loading loaded, contender.load());
        m.load_ms = milliseconds_since(begin);
        m.file_bytes = loaded.file_bytes;
        Runs runs;
        COFFER_TRY_ASSIGN(runs.runner, Runner::create(loaded.model, {.threads = options.threads}));
        if (all.empty()) {
            COFFER_TRY_ASSIGN(samples, Samples::open(*loaded.model, folder));
            COFFER_TRY_ASSIGN(tensors, samples.load(0));
        }
        const Model& reference = all.empty() ? *loaded.model : all.front().runner->model();
        COFFER_TRY(match(reference, contender.name, runs, m.outputs));
        if (const Status ran = run_on(runs, tensors); !ran) {
            return ran.error().within(message({"'", contender.name, "' on sample '", samples.name(0), "': "}));
        }
        COFFER_TRY_ASSIGN(const Timing timing, time_runs(*runs.runner));
        m.median_ms = timing.median_ms();
        m.cpu_ms = Timing::percentile(timing.cpu_ms, 0.5);
        const uint64_t peak = os::peak_memory_bytes();
        if (peak_known && peak > before) m.peak_bytes = peak - before;
        if (!loaded.model->states().empty()) {
            COFFER_TRY_ASSIGN(const auto scored, without_states(loaded.model));
            runs = {};
            m.outputs.clear();
            COFFER_TRY_ASSIGN(runs.runner, Runner::create(scored, {.threads = options.threads}));
            COFFER_TRY(match(reference, contender.name, runs, m.outputs));
        }
        all.push_back(std::move(runs));
        result.entries.push_back(std::move(m));
    }
    result.entries.front().outputs.clear();
    result.samples = samples.size();
    for (size_t i = 0; i < samples.size(); ++i) {
        say(message({"sample ", i + 1, " of ", samples.size()}));
        COFFER_TRY_ASSIGN(tensors, samples.load(i));
        for (size_t k = 0; k < all.size(); ++k) {
            Status done = run_on(all[k], tensors);
            if (done.ok()) done = score_outputs(*all[0].runner, all[k], result.entries[k].outputs);
            if (!done) {
                return done.error().within(
                    message({"'", contenders[k].name, "' on sample '", samples.name(i), "': "}));
            }
        }
    }
    return result;
}

}  // namespace coffer::offline
