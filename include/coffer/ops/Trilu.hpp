// The upper or lower triangle of the last two dims, zeros elsewhere. https://onnx.ai/onnx/operators/onnx__Trilu.html
#pragma once

#include "coffer/ops/family/move.hpp"

namespace coffer::ops {

struct Trilu : MoveOp<Trilu> {
    static constexpr AttrSpec attrs[] = {AttrSpec::i("upper", 1)};
    static constexpr Facts facts{.domain = "",
                                 .name = "Trilu",
                                 .since = 14,
                                 .min_inputs = 1,
                                 .max_inputs = 2,
                                 .min_outputs = 1,
                                 .max_outputs = 1,
                                 .attrs = attrs,
                                 .atol = 0,
                                 .rtol = 0};

    static Status move(MoveContext& m) {
        const Shape& shape = m.shape(0);
        if (shape.rank() < 2) return m.fail("input has shape ", shape, ", rank 2 or more is needed");
        int64_t k = 0;
        if (m.has_input(1)) {
            COFFER_TRY_ASSIGN(const bool known, m.scalar(1, &k));
            (void)known;
        }
        COFFER_TRY(m.output(0, m.dtype(0), shape));
        if (!m.running() || shape.elements() == 0) return {};  // without elements dims may be as large as they like
        const int64_t h = shape[shape.rank() - 2], w = shape.back();
        const bool upper = m.node().attr_i("upper") != 0;
        k = std::clamp(k, -h - 1, w + 1);
        for (int64_t row = 0; row < h; ++row) {
            // Upper keeps columns from row + k on, lower those up to row + k.
            const int64_t edge = std::clamp(upper ? row + k : row + k + 1, int64_t{0}, w);
            for (const bool left : {true, false}) {
                Box box;
                const int64_t begin = left ? 0 : edge, end = left ? edge : w;
                const bool keep = left != upper;
                box.input = keep ? 0 : Box::kZero;
                box.dst_offset = row * w + begin;
                box.src_offset = keep ? box.dst_offset : 0;
                box.loop(shape.elements(0, shape.rank() - 2), keep ? h * w : 0, h * w);
                box.loop(end - begin, keep ? 1 : 0, 1);
                COFFER_TRY(m.copy(box));
            }
        }
        return {};
    }
};

}  // namespace coffer::ops
