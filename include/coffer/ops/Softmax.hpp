// e^x over the sum of e^x along an axis. https://onnx.ai/onnx/operators/onnx__Softmax.html
#pragma once

#include "coffer/ops/family/softmax.hpp"

namespace coffer::ops {

struct Softmax : SoftmaxesFast<Softmax> {
    static constexpr Facts facts = softmax_facts("Softmax");
    static constexpr SoftmaxKind kind = SoftmaxKind::kSoftmax;
};

}  // namespace coffer::ops
