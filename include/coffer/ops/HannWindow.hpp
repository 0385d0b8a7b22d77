// The Hann window. https://onnx.ai/onnx/operators/onnx__HannWindow.html
#pragma once

#include "coffer/ops/family/move_window.hpp"

namespace coffer::ops {

struct HannWindow : CosineWindow<HannWindow> {
    static constexpr Facts facts{.domain = "",
                                 .name = "HannWindow",
                                 .since = 17,
                                 .min_inputs = 1,
                                 .max_inputs = 1,
                                 .min_outputs = 1,
                                 .max_outputs = 1,
                                 .attrs = CosineWindow<HannWindow>::attrs};
    static constexpr double terms[] = {0.5, 0.5, 0};
};

}  // namespace coffer::ops
