// Writes `update` into a cache along `axis`, from write_indices[batch] on; "circular" wraps around.
// https://onnx.ai/onnx/operators/onnx__TensorScatter.html
#pragma once

#include "coffer/ops/family/scatter.hpp"

namespace coffer::ops {

struct TensorScatter : MoveOp<TensorScatter> {
    static constexpr AttrSpec attrs[] = {AttrSpec::i("axis", -2), AttrSpec::s("mode", "linear")};
    static constexpr Facts facts{.domain = "",
                                 .name = "TensorScatter",
                                 .since = 24,
                                 .min_inputs = 2,
                                 .max_inputs = 3,
                                 .min_outputs = 1,
                                 .max_outputs = 1,
                                 .attrs = attrs,
                                 .atol = 0,
                                 .rtol = 0,
                                 .inplace_input = 0};

    static Status move(MoveContext& m) {
        const Shape &cache = m.shape(0), &update = m.shape(1);
        const std::string_view mode = m.node().attr_s("mode");
        if (mode != "linear" && mode != "circular") return m.fail("mode '", mode, "'");
        if (m.dtype(1) != m.dtype(0)) return m.fail("update is ", m.dtype(1), ", cache ", m.dtype(0));
        COFFER_TRY_ASSIGN(const int axis, m.axis(m.node().attr_i("axis"), cache.rank()));
        if (axis == 0) return m.fail("axis 0 is the batch");
        Shape rest = update;
        if (update.rank() == cache.rank()) rest[axis] = cache[axis];
        if (rest != cache || update[axis] > cache[axis])
            return m.fail("update ", update, " does not fit cache ", cache);
        if (m.has_input(2) && (m.dtype(2) != DType::kInt64 || m.shape(2) != Shape{cache[0]})) {
            return m.fail("write_indices is ", m.dtype(2), " ", m.shape(2), " for a batch of ", cache[0]);
        }
        COFFER_TRY(m.output(0, m.dtype(0), cache));
        if (!m.running()) return {};
        copy_elements(m.result(0), 0, 1, *m.value(0), 0, 1, cache.elements());
        const int64_t outer = cache.elements(1, axis), row = cache.elements(axis + 1, cache.rank());
        const int64_t steps = update[axis], length = cache[axis];
        for (int64_t b = 0; b < cache[0]; ++b) {
            const int64_t begin = m.has_input(2) ? load_int(*m.value(2), b) : 0;
            if (begin < 0 || begin >= std::max<int64_t>(length, 1) || (mode == "linear" && begin > length - steps)) {
                return m.fail("write_indices[", b, "] = ", begin, " with ", steps, " steps in a cache of ", length);
            }
            for (int64_t o = 0; o < outer; ++o) {
                for (int64_t t = 0; t < steps; ++t) {
                    const int64_t at = ((b * outer + o) * length + (begin + t) % length) * row;
                    copy_elements(m.result(0), at, 1, *m.value(1), ((b * outer + o) * steps + t) * row, 1, row);
                }
            }
        }
        return {};
    }
};

}  // namespace coffer::ops
