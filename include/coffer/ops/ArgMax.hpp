// Index of the largest element along an axis. https://onnx.ai/onnx/operators/onnx__ArgMax.html
#pragma once

#include "coffer/ops/family/reduce_arg.hpp"

namespace coffer::ops {

struct ArgMax {
    static constexpr Facts facts = arg_facts("ArgMax");

    static Status infer(InferContext& c) { return infer_arg(c); }
    static Status reference(RunContext& c) { return arg_reference(c, true); }
};

}  // namespace coffer::ops
