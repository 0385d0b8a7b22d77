#include "offline/quantize/insert.hpp"

#include <algorithm>
#include <cmath>

#include "offline/quantize/layers.hpp"
#include "offline/quantize/weights.hpp"

namespace coffer::offline {
namespace {

// The largest bias counts fewer than 2^30 steps.
constexpr float kBiasSteps = 1073741824.0f;

class Inserter {
 public:
    Inserter(graph::Model& model, const Regions& regions, std::span<const Range> ranges)
        : e_(model, 0), g_(e_.graph()), regions_(regions), ranges_(ranges) {}

    Status run() {
        std::vector<bool> by_integers(regions_.group.size(), false);  // written by an integer node
        for (size_t n = 0; n < g_.nodes.size(); ++n) {
            for (ValueId id : g_.nodes[n].outputs) {
                if (id != graph::kAbsent && regions_.integer[n]) by_integers[id] = true;
            }
        }
        for (ValueId id : g_.inputs) add_pair(id);
        for (size_t n = 0; n < g_.nodes.size(); ++n) {
            graph::Node node = g_.nodes[n];
            if (regions_.integer[n]) COFFER_TRY(quantize_weights_of(node));
            for (ValueId& id : node.inputs) {
                if (id >= replaced_.size() || replaced_[id] == graph::kAbsent) continue;
                if (regions_.integer[n] || by_integers[id]) id = replaced_[id];
            }
            const std::vector<ValueId> outputs = node.outputs;
            nodes_.push_back(std::move(node));
            for (ValueId id : outputs) {
                if (id != graph::kAbsent) add_pair(id);
            }
        }
        g_.nodes = std::move(nodes_);
        return {};
    }

 private:
    int32_t group(ValueId id) const { return id < regions_.group.size() ? regions_.group[id] : -1; }

    void add_pair(ValueId id) {
        if (group(id) < 0) return;
        const auto at = static_cast<size_t>(group(id));
        if (parameters_.empty()) parameters_.resize(ranges_.size());
        auto& [scale, zero] = parameters_[at];
        const std::string name = g_.values[id].name;
        if (scale == graph::kAbsent) {
            const ActivationScale s = scale_of(ranges_[at]);
            scale = e_.add_constant(name + ".scale", Tensor::scalar(s.scale));
            zero = e_.add_constant(name + ".zero", Tensor::scalar(s.zero));
        }
        graph::Type type = g_.values[id].type;
        const ValueId real = g_.add_value(name + ".real", type);
        type.dtype = DType::kUint8;
        const ValueId bytes = g_.add_value(name + ".uint8", type);
        nodes_.push_back({"QuantizeLinear", name + ".quantize", {id, scale, zero}, {bytes}, {}});
        nodes_.push_back({"DequantizeLinear", name + ".dequantize", {bytes, scale, zero}, {real}, {}});
        if (replaced_.empty()) replaced_.assign(regions_.group.size(), graph::kAbsent);
        replaced_[id] = real;
    }

    Status quantize_weights_of(graph::Node& node) {
        const auto p = quantizable(e_, node);
        if (!p) return {};
        // A scale that is too small for the bias would not hold it.
        std::vector<float> least;
        if (p->bias != graph::kAbsent) {
            const float x_scale = scale_of(ranges_[static_cast<size_t>(group(p->x))]).scale;
            for (const float b : e_.constant(p->bias)->span<const float>()) {
                least.push_back(std::fabs(b) / (x_scale * kBiasSteps));
            }
        }
        auto w = quantize_weights(e_.constant(p->w)->view(), p->channel_axis(), least);
        if (!w) return w.error().within(message({"layer '", node.name, "': "}));
        const std::string name = g_.values[node.outputs[0]].name;
        const ValueId values = e_.add_constant(name + ".weights", w->values);
        const ValueId scales = e_.add_constant(name + ".weights.scale", w->scales);
        const ValueId real = g_.add_value(name + ".weights.real", g_.values[p->w].type);
        nodes_.push_back({"DequantizeLinear",
                          name + ".weights.dequantize",
                          {values, scales},
                          {real},
                          {{"axis", static_cast<int64_t>(p->channel_axis())}}});
        node.inputs[1] = real;
        return {};
    }

    struct Parameters {
        ValueId scale = graph::kAbsent, zero = graph::kAbsent;
    };

    Editor e_;
    graph::Graph& g_;
    const Regions& regions_;
    std::span<const Range> ranges_;
    std::vector<graph::Node> nodes_;
    std::vector<ValueId> replaced_;       // by value: what stands for it
    std::vector<Parameters> parameters_;  // by group
};

}  // namespace

ActivationScale scale_of(Range range) {
    ActivationScale s;
    const double width = static_cast<double>(range.high) - range.low;
    if (!(width > 0)) return s;  // zeros only
    s.scale = std::max(static_cast<float>(width / 255), 1e-30f);
    s.zero = static_cast<uint8_t>(std::clamp(std::nearbyint(-range.low / s.scale), 0.0f, 255.0f));
    return s;
}

Status insert_quantization(graph::Model& model, const Regions& regions, std::span<const Range> ranges) {
    return Inserter(model, regions, ranges).run();
}

}  // namespace coffer::offline
