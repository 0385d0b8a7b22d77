// 1 at the first largest element along an axis, else 0. https://onnx.ai/onnx/operators/onnx__Hardmax.html
#pragma once

#include "coffer/ops/family/softmax.hpp"

namespace coffer::ops {

struct Hardmax : Softmaxes<Hardmax> {
    static constexpr Facts facts = softmax_facts("Hardmax");
    static constexpr SoftmaxKind kind = SoftmaxKind::kHardmax;
};

}  // namespace coffer::ops
