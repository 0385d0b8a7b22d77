// The Blackman window. https://onnx.ai/onnx/operators/onnx__BlackmanWindow.html
#pragma once

#include "coffer/ops/family/move_window.hpp"

namespace coffer::ops {

struct BlackmanWindow : CosineWindow<BlackmanWindow> {
    static constexpr Facts facts{.domain = "",
                                 .name = "BlackmanWindow",
                                 .since = 17,
                                 .min_inputs = 1,
                                 .max_inputs = 1,
                                 .min_outputs = 1,
                                 .max_outputs = 1,
                                 .attrs = CosineWindow<BlackmanWindow>::attrs};
    static constexpr double terms[] = {0.42, 0.5, 0.08};
};

}  // namespace coffer::ops
