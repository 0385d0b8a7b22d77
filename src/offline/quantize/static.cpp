#include "offline/quantize/static.hpp"

#include <algorithm>
#include <array>
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

constexpr size_t kMeasured = 12;      // samples that decide
constexpr size_t kSynthetic = 16;     // samples made up
constexpr double kGoodCosine = 0.99;  // of the worst output: no layer need stay in float
constexpr double kGoodSnr = 40;       // dB: quiet enough for static ranges everywhere
constexpr double kNoiseFloor = 45;    // dB: a layer this quiet alone is not worth leaving out
constexpr size_t kMostFloats = 24;

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
    std::set<ValueId> dynamic;  // results of layers that quantize their input at run time
    std::set<ValueId> floats;   // results of layers that stay in float
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
        COFFER_TRY_ASSIGN(reference_, Reference::of(float_, samples_, kMeasured));
        for (size_t rule = 0; rule < kRules.size(); ++rule) COFFER_TRY(consider({rule, {}, {}}));
        if (fidelity_.snr_db < kGoodSnr) {
            Plan plan = plan_;
            plan.dynamic = border_layers();
            if (!plan.dynamic.empty()) COFFER_TRY(consider(std::move(plan)));
        }
        if (fidelity_.cosine < kGoodCosine) COFFER_TRY(leave_out(all, notes));
        notes.push_back(message({"static int8: ", all.layers.size() - plan_.floats.size(), " of ", all.layers.size(),
                                 " layers (", plan_.dynamic.size(), " with ranges found at run time), ranges by ",
                                 kRules[plan_.rule].name, ", ", samples_.size(), " samples; outputs at ",
                                 decimals(fidelity_.snr_db, 1), " dB, cosine ", decimals(fidelity_.cosine, 4)}));
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
        COFFER_TRY(
            make_dynamic(model, [&](const graph::Node& node) { return plan.dynamic.contains(node.outputs[0]); }));
        COFFER_TRY(optimize(model));
        return model;
    }

    // Builds, measures, and keeps it when it is the best so far.
    Status consider(Plan plan) {
        COFFER_TRY_ASSIGN(graph::Model model, build(plan));
        COFFER_TRY_ASSIGN(const Fidelity f, reference_.compare(model));
        if (!best_.graphs.empty() && f.snr_db <= fidelity_.snr_db) return {};
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

    // Measures each layer alone, then leaves out the worst ones together until the outputs are good.
    Status leave_out(const Regions& all, std::vector<std::string>& notes) {
        struct Alone {
            ValueId layer;
            double snr_db;
        };
        std::vector<Alone> alone;
        for (ValueId layer : all.layers) {
            Plan others = plan_;
            others.floats = {all.layers.begin(), all.layers.end()};
            others.floats.erase(layer);
            std::erase_if(others.dynamic, [&](ValueId id) { return id != layer; });
            COFFER_TRY_ASSIGN(const graph::Model model, build(others));
            COFFER_TRY_ASSIGN(const Fidelity f, reference_.compare(model));
            alone.push_back({layer, f.snr_db});
        }
        std::ranges::stable_sort(alone, {}, &Alone::snr_db);
        const size_t most = std::min(kMostFloats, alone.size() / 2);
        Plan plan = plan_;
        for (size_t n = 1; n <= most && fidelity_.cosine < kGoodCosine; ++n) {
            if (alone[n - 1].snr_db > kNoiseFloor) break;
            plan.floats.insert(alone[n - 1].layer);
            plan.dynamic.erase(alone[n - 1].layer);
            // A few at a time: what a layer costs alone says little about the next one.
            if (n <= 2 || n % 4 == 0 || n == most) COFFER_TRY(consider(plan));
        }
        for (const Alone& a : alone) {
            if (!plan_.floats.contains(a.layer)) continue;
            notes.push_back(
                message({"layer '", float_.graphs[0].values[a.layer].name,
                         "' stays in float: as int8 alone it takes the outputs to ", decimals(a.snr_db, 1), " dB"}));
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
