// Reverses the first sequence_lens[b] steps of each batch entry.
// https://onnx.ai/onnx/operators/onnx__ReverseSequence.html
#pragma once

#include "coffer/ops/family/move.hpp"

namespace coffer::ops {

struct ReverseSequence : MoveOp<ReverseSequence> {
    static constexpr AttrSpec attrs[] = {AttrSpec::i("batch_axis", 1), AttrSpec::i("time_axis", 0)};
    static constexpr Facts facts{.domain = "",
                                 .name = "ReverseSequence",
                                 .since = 28,
                                 .min_inputs = 2,
                                 .max_inputs = 2,
                                 .min_outputs = 1,
                                 .max_outputs = 1,
                                 .attrs = attrs,
                                 .atol = 0,
                                 .rtol = 0};

    static Status move(MoveContext& m) {
        const Shape& shape = m.shape(0);
        if (shape.rank() < 2) return m.fail("input has shape ", shape, ", rank 2 or more is needed");
        COFFER_TRY_ASSIGN(const int batch, m.axis(m.node().attr_i("batch_axis"), shape.rank()));
        COFFER_TRY_ASSIGN(const int time, m.axis(m.node().attr_i("time_axis"), shape.rank()));
        if (batch == time) return m.fail("batch_axis and time_axis are both ", batch);
        if (m.dtype(1) != DType::kInt64 || m.shape(1) != Shape{shape[batch]}) {
            return m.fail("sequence_lens is ", m.dtype(1), " ", m.shape(1), " for a batch of ", shape[batch]);
        }
        COFFER_TRY(m.output(0, m.dtype(0), shape));
        const TensorView* lens = m.value(1);
        if (!lens) return {};
        const Strides at = strides_of(shape);
        const auto t = static_cast<size_t>(time);
        for (int64_t b = 0; b < shape[batch]; ++b) {
            const int64_t length = load_int(*lens, b);
            if (length < 0 || length > shape[time])
                return m.fail("sequence_lens[", b, "] = ", length, ", steps: ", shape[time]);
            Box box;
            for (int a = 0; a < shape.rank(); ++a) {
                if (a != batch && a != time) box.loop(shape[a], at[size_t(a)], at[size_t(a)]);
            }
            box.src_offset = box.dst_offset = b * at[size_t(batch)];
            Box reversed = box, rest = box;
            reversed.loop(length, -at[t], at[t]);
            reversed.src_offset += (length - 1) * at[t];
            rest.loop(shape[time] - length, at[t], at[t]);
            rest.src_offset = rest.dst_offset = box.dst_offset + length * at[t];
            COFFER_TRY(m.copy(reversed));
            COFFER_TRY(m.copy(rest));
        }
        return {};
    }
};

}  // namespace coffer::ops
