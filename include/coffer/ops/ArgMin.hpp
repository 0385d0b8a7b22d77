// Index of the smallest element along an axis. https://onnx.ai/onnx/operators/onnx__ArgMin.html
#pragma once

#include "coffer/ops/family/reduce_arg.hpp"

namespace coffer::ops {

struct ArgMin {
    static constexpr Facts facts = arg_facts("ArgMin");

    static Status infer(InferContext& c) { return infer_arg(c); }
    static Status reference(RunContext& c) { return arg_reference(c, false); }
};

}  // namespace coffer::ops
