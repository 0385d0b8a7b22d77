// A copy, of tensors, sequences and optionals. https://onnx.ai/onnx/operators/onnx__Identity.html
#pragma once

#include <algorithm>
#include <cstring>

#include "coffer/ops/op.hpp"

namespace coffer::ops {

struct Identity {
    static constexpr Facts facts{.domain = "",
                                 .name = "Identity",
                                 .since = 25,
                                 .min_inputs = 1,
                                 .max_inputs = 1,
                                 .min_outputs = 1,
                                 .max_outputs = 1,
                                 .layout = LayoutRule::kElementwise,
                                 .atol = 0,
                                 .rtol = 0,
                                 .any_kind = true,
                                 .inplace_input = 0,
                                 .view = true};

    static Status infer(InferContext& c) {
        if (c.input(0).kind != ValueKind::kTensor) {
            c.set_kind(0, c.input(0).kind, c.dtype(0));
        } else {
            c.set(0, c.dtype(0), c.shape(0));
        }
        return {};
    }
    static Status reference(RunContext& c) {
        if (c.input(0).data == nullptr) return c.set_output_value(0, c.input_value(0));
        copy(c.input(0), c.output(0));
        return {};
    }
    // The same bytes, or the same strings.
    static void copy(const TensorView& src, const TensorView& dst) {
        if (src.data == dst.data) return;
        if (src.dtype == DType::kString) {
            std::ranges::copy(src.span<PrivateString>(), dst.span<PrivateString>().begin());
        } else {
            std::memcpy(dst.data, src.data, src.nbytes());
        }
    }
};

}  // namespace coffer::ops
