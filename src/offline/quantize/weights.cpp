#include "offline/quantize/weights.hpp"

#include <algorithm>
#include <cmath>

namespace coffer::offline {
namespace {

constexpr float kLargest = 127;

}  // namespace

Result<QuantizedWeights> quantize_weights(const TensorView& weights, int channel_axis, std::span<const float> least) {
    const Shape& shape = weights.shape;
    const int64_t channels = shape[channel_axis];
    const int64_t inner = shape.elements(channel_axis + 1, shape.rank());
    const int64_t outer = shape.elements(0, channel_axis);
    QuantizedWeights result;
    COFFER_TRY_ASSIGN(result.values, Tensor::create(DType::kInt8, shape));
    COFFER_TRY_ASSIGN(result.scales, Tensor::create(DType::kFloat, Shape{channels}));
    const auto* src = weights.as<const float>();
    auto* dst = result.values.view().as<int8_t>();
    auto* scales = result.scales.view().as<float>();

    const auto each = [&](int64_t channel, const auto& visit) {
        for (int64_t o = 0; o < outer; ++o) {
            const int64_t first = (o * channels + channel) * inner;
            for (int64_t i = 0; i < inner; ++i) visit(first + i);
        }
    };
    float overall = 0;
    for (int64_t c = 0; c < channels; ++c) {
        float largest = 0;
        bool finite = true;
        each(c, [&](int64_t i) {
            finite = finite && std::isfinite(src[i]);
            largest = std::fmax(largest, std::fabs(src[i]));
        });
        if (!finite) return error(Code::kInvalidArgument, "weights of output channel ", c, " are not finite");
        scales[c] = largest / kLargest;
        overall = std::fmax(overall, scales[c]);
    }
    for (int64_t c = 0; c < channels; ++c) {
        // A channel of zeros still gives its bias a scale to be counted in.
        if (scales[c] == 0) scales[c] = overall > 0 ? overall : 1;
        if (!least.empty()) scales[c] = std::fmax(scales[c], least[static_cast<size_t>(c)]);
        // Also where the division above underflowed.
        scales[c] = std::fmax(scales[c], 1e-30f);
        each(c, [&](int64_t i) {
            dst[i] = static_cast<int8_t>(std::nearbyint(std::clamp(src[i] / scales[c], -kLargest, kLargest)));
        });
    }
    return result;
}

}  // namespace coffer::offline
