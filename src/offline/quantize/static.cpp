#include "offline/quantize/static.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <map>

#include "offline/calibrate/observe.hpp"
#include "offline/passes/passes.hpp"
#include "offline/quantize/dynamic.hpp"
#include "offline/quantize/insert.hpp"
#include "offline/quantize/layers.hpp"
#include "offline/quantize/measure.hpp"
#include "offline/shapes.hpp"

namespace coffer::offline {
namespace {

constexpr size_t kLeastMeasured = 12, kMostMeasured = 64;  // samples that decide: as many as
constexpr double kMeasuredWork = 3e10;                     // this number of multiplications allows
constexpr size_t kSynthetic = 16;                          // samples made up
constexpr double kGoodCosine = 0.99;                       // of the worst output: no layer need stay in float
constexpr double kGoodSnr = 40;                            // dB: quiet enough for static ranges everywhere
constexpr double kNoiseFloor = 45;                         // dB: a layer this quiet alone is not worth leaving out
constexpr size_t kMostFloats = 24;
constexpr double kQuiet = 50;      // dB: all layers together, where nothing more is done
constexpr double kMatters = 0.25;  // share of the noise that is worth doing something about
constexpr double kOutliers = 0.4;  // what a finer input must leave of a layer's noise: its outliers were to blame
constexpr double kCheapWork = 0.02, kCheapWeights = 0.2;  // shares of the model that may become 16-bit
constexpr float kHeadroom = 4;                            // 16 bits can spare two for what no sample showed
constexpr double kWorthIt = 1.5;                          // dB gained for twice the work of some layers

// Ways to choose a range; the one with the best outputs is taken.
struct RangeRule {
    const char* name;
    Range (*choose)(const Histogram&);
};
constexpr std::array kRules = {
    RangeRule{"percentile 99.99", [](const Histogram& h) { return h.percentile(1e-4); }},
    RangeRule{"extremes", [](const Histogram& h) { return h.extremes(); }},
    RangeRule{"least squared error", [](const Histogram& h) { return h.best(); }},
};

// What is decided about a quantized model.
struct Plan {
    size_t rule = 0;
    std::set<ValueId> dynamic;          // results of layers that quantize their input at run time
    std::map<ValueId, bool> two_parts;  // of these, the layers that take 16 bits of it; true: and of their weights
    std::set<ValueId> floats;           // results of layers that stay in float
};

class StaticQuantizer {
 public:
    StaticQuantizer(graph::Model model, const Samples& samples)
        : float_(std::move(model)), samples_(samples), types_(float_) {}

    Status run(std::vector<std::string>& notes) {
        const Regions all = regions({});
        if (all.layers.empty()) {
            notes.emplace_back("static int8: the model has no layer to quantize");
            best_ = float_;
            return {};
        }
        COFFER_TRY(observe_ranges(all));
        weigh(all);
        const auto affordable = static_cast<size_t>(kMeasuredWork / total_.work);
        COFFER_TRY_ASSIGN(reference_,
                          Reference::of(float_, samples_, std::clamp(affordable, kLeastMeasured, kMostMeasured)));
        for (size_t rule = 0; rule < kRules.size(); ++rule) COFFER_TRY(consider({rule, {}, {}, {}}));
        if (fidelity_.snr_db < kGoodSnr) {
            Plan plan = plan_;
            plan.dynamic = border_layers();
            if (!plan.dynamic.empty()) COFFER_TRY(consider(std::move(plan)));
        }
        if (fidelity_.snr_db < kGoodSnr && !plan_.dynamic.empty()) COFFER_TRY(widen(all));
        if (fidelity_.cosine < kGoodCosine) COFFER_TRY(leave_out(all));
        for (ValueId layer : all.layers) {
            if (!plan_.floats.contains(layer)) continue;
            notes.push_back(message({"layer '", float_.graphs[0].values[layer].name,
                                     "' stays in float: as int8 alone it takes the outputs to ",
                                     decimals(alone_snr_[layer], 1), " dB"}));
        }
        notes.push_back(message({"static int8: ", all.layers.size() - plan_.floats.size(), " of ", all.layers.size(),
                                 " layers (", plan_.dynamic.size(), " with ranges found at run time, ",
                                 plan_.two_parts.size(), " with 16-bit input), ranges by ", kRules[plan_.rule].name,
                                 ", ", samples_.size(), " samples; outputs at ", decimals(fidelity_.snr_db, 1),
                                 " dB, cosine ", decimals(fidelity_.cosine, 4)}));
        return {};
    }
    graph::Model take() { return std::move(best_); }

 private:
    static std::string decimals(double value, int digits) {
        char text[32];
        std::snprintf(text, sizeof(text), "%.*f", digits, value);
        return text;
    }

    Regions regions(const Plan& plan) {
        std::set<ValueId> others = plan.floats;
        others.insert(plan.dynamic.begin(), plan.dynamic.end());
        Editor e(float_, 0);
        return find_regions(e, others, [&](ValueId a, ValueId b) { return types_.same_shape(a, b); });
    }

    // Of every value that may become a leader when layers are left out.
    Status observe_ranges(const Regions& all) {
        std::vector<ValueId> values = all.leaders;
        for (ValueId id = 0; id < all.group.size(); ++id) {
            if (all.group[id] >= 0 && std::ranges::find(values, id) == values.end()) values.push_back(id);
        }
        COFFER_TRY_ASSIGN(auto histograms, calibrate(float_, values, samples_));
        for (size_t i = 0; i < values.size(); ++i) histograms_.emplace(values[i], std::move(histograms[i]));
        return {};
    }

    Result<graph::Model> build(const Plan& plan) {
        const Regions r = regions(plan);
        std::vector<Range> ranges;
        for (ValueId leader : r.leaders) {
            const auto at = histograms_.find(leader);
            if (at == histograms_.end()) return error(Code::kInternal, "no range was observed for a quantized value");
            ranges.push_back(kRules[plan.rule].choose(at->second));
        }
        graph::Model model = float_;
        COFFER_TRY(insert_quantization(model, r, ranges));
        const auto found_later = [&](const graph::Node& node) { return plan.dynamic.contains(node.outputs[0]); };
        const auto in_two_parts = [&](const graph::Node& node) -> std::optional<TwoParts> {
            const auto layer = plan.two_parts.find(node.outputs[0]);
            const auto x = histograms_.find(node.inputs[0]);
            if (layer == plan.two_parts.end() || x == histograms_.end()) return std::nullopt;
            const Range seen = x->second.extremes();
            return TwoParts{scale_of({seen.low * kHeadroom, seen.high * kHeadroom}), layer->second};
        };
        COFFER_TRY(make_dynamic(model, found_later, in_two_parts));
        COFFER_TRY(optimize(model));
        return model;
    }

    // Builds, measures, and keeps it when it is the best so far, by some dB.
    Status consider(Plan plan, double by_db = 0) {
        COFFER_TRY_ASSIGN(graph::Model model, build(plan));
        COFFER_TRY_ASSIGN(const Fidelity f, reference_.compare(model));
        if (!best_.graphs.empty() && f.snr_db <= fidelity_.snr_db + by_db) return {};
        best_ = std::move(model);
        fidelity_ = f;
        plan_ = std::move(plan);
        return {};
    }

    // Layers that read what a float node wrote: nothing is lost when they quantize it themselves, with the range
    // of the moment.
    std::set<ValueId> border_layers() {
        const Regions r = regions(plan_);
        const graph::Graph& g = float_.graphs[0];
        std::set<ValueId> by_floats, border;
        for (size_t n = 0; n < g.nodes.size(); ++n) {
            const graph::Node& node = g.nodes[n];
            const ValueId result = node.outputs.empty() ? graph::kAbsent : node.outputs[0];
            if (!r.integer[n]) by_floats.insert(node.outputs.begin(), node.outputs.end());
            const bool layer = std::ranges::find(r.layers, result) != r.layers.end();
            if (layer && by_floats.contains(node.inputs[0])) border.insert(result);
        }
        return border;
    }

    // The outputs when `layer` is quantized as in `plan` and all others are float.
    Result<double> alone_snr(const Regions& all, const Plan& plan, ValueId layer) {
        Plan others;
        others.rule = plan.rule;
        others.floats = {all.layers.begin(), all.layers.end()};
        others.floats.erase(layer);
        if (plan.dynamic.contains(layer)) others.dynamic = {layer};
        if (const auto at = plan.two_parts.find(layer); at != plan.two_parts.end()) others.two_parts = {*at};
        COFFER_TRY_ASSIGN(const graph::Model model, build(others));
        COFFER_TRY_ASSIGN(const Fidelity f, reference_.compare(model));
        return f.snr_db;
    }
    static double noise(double snr_db) { return std::pow(10, -snr_db / 10); }

    struct Cost {
        double weights = 0, work = 0;  // elements, multiplications in one run
        Cost& operator+=(const Cost& other) {
            weights += other.weights;
            work += other.work;
            return *this;
        }
    };
    void weigh(const Regions& all) {
        Editor e(float_, 0);
        for (const graph::Node& node : float_.graphs[0].nodes) {
            const auto p = quantizable(e, node);
            if (!p || std::ranges::find(all.layers, node.outputs[0]) == all.layers.end()) continue;
            const Tensor& w = *e.constant(p->w);
            const auto weights = static_cast<double>(w.elements());
            const double each = weights / static_cast<double>(w.shape()[p->channel_axis()]);
            const double results = std::max(1.0, static_cast<double>(types_.elements(node.outputs[0])));
            total_ += costs_[node.outputs[0]] = {weights, each * results};
        }
    }
    bool cheap(const Cost& cost) const {
        return cost.work <= kCheapWork * total_.work && cost.weights <= kCheapWeights * total_.weights;
    }

    // How a layer that reads floats rounds them is its own affair. Of those that bring most of the noise, the cheap
    // ones become 16-bit, weights and all. Others take 16 bits of their input when its outliers are to blame, which
    // doubles their work and so must pay.
    Status widen(const Regions& all) {
        struct Alone {
            ValueId layer;
            double noise;
        };
        std::vector<Alone> alone;
        double left = 0;
        for (ValueId layer : plan_.dynamic) {
            COFFER_TRY_ASSIGN(const double snr, alone_snr(all, plan_, layer));
            alone.push_back({layer, noise(snr)});
            left += alone.back().noise;
        }
        std::ranges::stable_sort(alone, std::ranges::greater{}, &Alone::noise);
        Plan plan = plan_;
        Cost spent;
        for (const Alone& a : alone) {
            if (a.noise < kMatters * left || left < noise(kQuiet)) break;
            Cost with = spent;
            with += costs_[a.layer];
            const bool everything = cheap(with);
            Plan changed = plan;
            changed.two_parts[a.layer] = everything;
            COFFER_TRY_ASSIGN(const double snr, alone_snr(all, changed, a.layer));
            if (noise(snr) > kOutliers * a.noise) continue;
            left -= a.noise - noise(snr);
            plan = std::move(changed);
            if (everything) spent = with;
        }
        return plan.two_parts.empty() ? Status() : consider(std::move(plan), kWorthIt);
    }

    // Measures each layer alone, then leaves out the worst ones together until the outputs are good.
    Status leave_out(const Regions& all) {
        std::vector<ValueId> order;
        for (ValueId layer : all.layers) {
            if (plan_.floats.contains(layer)) continue;
            COFFER_TRY_ASSIGN(alone_snr_[layer], alone_snr(all, plan_, layer));
            order.push_back(layer);
        }
        std::ranges::stable_sort(order, {}, [&](ValueId layer) { return alone_snr_[layer]; });
        const size_t most = std::min(kMostFloats, order.size() / 2);
        Plan plan = plan_;
        for (size_t n = 1; n <= most && fidelity_.cosine < kGoodCosine; ++n) {
            const ValueId layer = order[n - 1];
            if (alone_snr_[layer] > kNoiseFloor) break;
            plan.floats.insert(layer);
            plan.dynamic.erase(layer);
            plan.two_parts.erase(layer);
            // A few at a time: what a layer costs alone says little about the next one.
            if (n <= 2 || n % 4 == 0 || n == most) COFFER_TRY(consider(plan));
        }
        return {};
    }

    graph::Model float_;
    const Samples& samples_;
    SampledTypes types_;
    std::map<ValueId, Histogram> histograms_;
    Reference reference_;
    graph::Model best_;
    Fidelity fidelity_;
    Plan plan_;
    std::map<ValueId, Cost> costs_;  // by layer
    Cost total_;
    std::map<ValueId, double> alone_snr_;  // dB, of the layers that were measured
};

}  // namespace

Status quantize_static(graph::Model& model, const QuantizeOptions& options, std::vector<std::string>& notes) {
    unfuse(model, true);
    COFFER_TRY_ASSIGN(const auto shared, runtime::Model::create(model));
    Samples samples = Samples::synthetic(*shared, kSynthetic);
    if (!options.synthetic) {
        if (options.data.empty())
            return error(Code::kInvalidArgument, "static int8 needs samples: a data folder, or synthetic ones");
        COFFER_TRY_ASSIGN(samples, Samples::open(*shared, options.data));
    }
    StaticQuantizer quantizer(model, samples);
    COFFER_TRY(quantizer.run(notes));
    model = quantizer.take();
    if (options.synthetic) notes.emplace_back("calibrated on made-up samples: accuracy on real data is unverified");
    return {};
}

}  // namespace coffer::offline
