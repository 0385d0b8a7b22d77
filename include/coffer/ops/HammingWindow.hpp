// The Hamming window. https://onnx.ai/onnx/operators/onnx__HammingWindow.html
#pragma once

#include "coffer/ops/family/move_window.hpp"

namespace coffer::ops {

struct HammingWindow : CosineWindow<HammingWindow> {
    static constexpr Facts facts{.domain = "",
                                 .name = "HammingWindow",
                                 .since = 17,
                                 .min_inputs = 1,
                                 .max_inputs = 1,
                                 .min_outputs = 1,
                                 .max_outputs = 1,
                                 .attrs = CosineWindow<HammingWindow>::attrs};
    static constexpr double terms[] = {25.0 / 46, 21.0 / 46, 0};
};

}  // namespace coffer::ops
