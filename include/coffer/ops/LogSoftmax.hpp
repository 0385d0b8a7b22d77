// Logarithm of the softmax along an axis. https://onnx.ai/onnx/operators/onnx__LogSoftmax.html
#pragma once

#include "coffer/ops/family/softmax.hpp"

namespace coffer::ops {

struct LogSoftmax : SoftmaxesFast<LogSoftmax> {
    static constexpr Facts facts = softmax_facts("LogSoftmax");
    static constexpr SoftmaxKind kind = SoftmaxKind::kLogSoftmax;
};

}  // namespace coffer::ops
