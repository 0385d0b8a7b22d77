// Running sums along an axis. https://onnx.ai/onnx/operators/onnx__CumSum.html
#pragma once

#include "coffer/ops/family/reduce_cumulative.hpp"

namespace coffer::ops {

struct CumSum {
    static constexpr Facts facts = cumulative_facts("CumSum", 14);

    static Status infer(InferContext& c) { return infer_cumulative(c); }
    static Status reference(RunContext& c) { return cumulative_reference(c, false); }
};

}  // namespace coffer::ops
