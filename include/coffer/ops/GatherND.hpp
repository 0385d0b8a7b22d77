// Rows of data by tuples of indices. https://onnx.ai/onnx/operators/onnx__GatherND.html
#pragma once

#include "coffer/ops/family/scatter.hpp"

namespace coffer::ops {

struct GatherND : MoveOp<GatherND> {
    static constexpr AttrSpec attrs[] = {AttrSpec::i("batch_dims", 0)};
    static constexpr Facts facts{.domain = "",
                                 .name = "GatherND",
                                 .since = 13,
                                 .min_inputs = 2,
                                 .max_inputs = 2,
                                 .min_outputs = 1,
                                 .max_outputs = 1,
                                 .attrs = attrs,
                                 .atol = 0,
                                 .rtol = 0};

    static Status move(MoveContext& m) {
        const Shape &data = m.shape(0), &places = m.shape(1);
        COFFER_TRY(check_index_type(m, 1));
        const int64_t given = m.node().attr_i("batch_dims");
        if (data.rank() < 1 || places.rank() < 1)
            return m.fail("data ", data, " and indices ", places, " need rank 1");
        if (given < 0 || given >= std::min(data.rank(), places.rank()))
            return m.fail("batch_dims ", given, " for ", data, " and ", places);
        const int batch = static_cast<int>(given);
        if (places.back() < 1 || places.back() > data.rank() - batch) {
            return m.fail("tuples of ", places.back(), " indices for data ", data);
        }
        const int length = static_cast<int>(places.back());
        Shape to;
        for (int i = 0; i < places.rank() - 1; ++i) {
            if (i < batch && places[i] != data[i]) return m.fail("batch dims differ: ", data, " and ", places);
            to.push_back(places[i]);
        }
        if (to.rank() + data.rank() - batch - length > kMaxRank) return m.fail("output rank is over ", kMaxRank);
        for (int i = batch + length; i < data.rank(); ++i) to.push_back(data[i]);
        COFFER_TRY(m.output(0, m.dtype(0), to));
        if (!m.running() || to.elements() == 0) return {};
        const int64_t batches = data.elements(0, batch), tuples = places.elements(batch, places.rank() - 1);
        const int64_t rows = data.elements(batch, batch + length), row = data.elements(batch + length, data.rank());
        for (int64_t i = 0; i < batches * tuples; ++i) {
            COFFER_TRY_ASSIGN(const int64_t at, tuple_at(m, data, batch, i, length));
            copy_elements(m.result(0), i * row, 1, *m.value(0), (i / tuples * rows + at) * row, 1, row);
        }
        return {};
    }
};

}  // namespace coffer::ops
