// Running products along an axis. https://onnx.ai/onnx/operators/onnx__CumProd.html
#pragma once

#include "coffer/ops/family/reduce_cumulative.hpp"

namespace coffer::ops {

struct CumProd {
    static constexpr Facts facts = cumulative_facts("CumProd", 26);

    static Status infer(InferContext& c) { return infer_cumulative(c); }
    static Status reference(RunContext& c) { return cumulative_reference(c, true); }
};

}  // namespace coffer::ops
