// data with rows replaced (or added, ...) at tuples of indices. https://onnx.ai/onnx/operators/onnx__ScatterND.html
#pragma once

#include "coffer/ops/family/scatter.hpp"

namespace coffer::ops {

struct ScatterND : FastMoveOp<ScatterND> {
    static constexpr AttrSpec attrs[] = {AttrSpec::s("reduction", "none")};
    static constexpr Facts facts{.domain = "",
                                 .name = "ScatterND",
                                 .since = 18,
                                 .min_inputs = 3,
                                 .max_inputs = 3,
                                 .min_outputs = 1,
                                 .max_outputs = 1,
                                 .attrs = attrs,
                                 .inplace_input = 0};

    static Status move(MoveContext& m) {
        const Shape &data = m.shape(0), &places = m.shape(1);
        COFFER_TRY(check_index_type(m, 1));
        COFFER_TRY_ASSIGN(const ScatterReduction how, scatter_reduction(m));
        if (data.rank() < 1 || places.rank() < 1)
            return m.fail("data ", data, " and indices ", places, " need rank 1");
        if (places.back() < 1 || places.back() > data.rank())
            return m.fail("tuples of ", places.back(), " indices for ", data);
        const int length = static_cast<int>(places.back());
        Shape wanted;
        for (int i = 0; i < places.rank() - 1; ++i) wanted.push_back(places[i]);
        if (wanted.rank() + data.rank() - length > kMaxRank) return m.fail("updates rank is over ", kMaxRank);
        for (int i = length; i < data.rank(); ++i) wanted.push_back(data[i]);
        if (m.shape(2) != wanted) return m.fail("updates ", m.shape(2), ", expected ", wanted);
        COFFER_TRY(start_scatter(m));
        if (m.planning()) return plan_box(m, how, length);
        if (!m.running()) return {};
        const int64_t row = data.elements(length, data.rank());
        const int64_t tuples = places.elements(0, places.rank() - 1);
        for (int64_t i = 0; i < tuples; ++i) {
            COFFER_TRY_ASSIGN(const int64_t at, tuple_at(m, data, 0, i, length));
            scatter_elements(how, m.result(0), at * row, *m.value(2), i * row, row);
        }
        return {};
    }

 private:
    // Known indices that count up along each of their axes, as exporters write x[:, 2:5] = y: a box in data.
    static Status plan_box(MoveContext& m, ScatterReduction how, int length) {
        const Shape &data = m.shape(0), &places = m.shape(1);
        const TensorView* indices = m.value(1);
        if (how != ScatterReduction::kNone || !indices || places.rank() - 1 != length || places.elements() == 0)
            return m.node().unsupported("not a box");
        Box box;
        box.input = 2;
        const Strides from = m.src_strides(2), to = m.dst_strides(0, data);
        int64_t corner[kMaxRank];
        for (int k = 0; k < length; ++k) {
            COFFER_TRY_ASSIGN(corner[k], index_at(m.node(), *indices, k, data[k]));
            box.dst_offset += corner[k] * to[static_cast<size_t>(k)];
        }
        for (int a = 0; a < data.rank(); ++a) {
            const auto axis = static_cast<size_t>(a);
            box.loop(a < length ? places[a] : data[a], from[axis], to[axis]);
        }
        int64_t index[kMaxRank] = {};
        for (int64_t i = 0; i < places.elements(); i += length) {
            for (int k = 0; k < length; ++k) {
                const int64_t at = corner[k] + index[k], given = load_int(*indices, i + k);
                if (at >= data[k] || (given != at && given != at - data[k])) return m.node().unsupported("not a box");
            }
            for (int k = length - 1; k >= 0 && ++index[k] == places[k]; --k) index[k] = 0;
        }
        COFFER_TRY(m.copy_all(0));
        return m.copy(box);
    }
};

}  // namespace coffer::ops
