// start, start + delta, ... up to limit (exclusive). https://onnx.ai/onnx/operators/onnx__Range.html
#pragma once

#include <cmath>

#include "coffer/ops/family/move.hpp"

namespace coffer::ops {

struct Range : MoveOp<Range> {
    static constexpr AttrSpec attrs[] = {AttrSpec::i("stash_type", 1)};
    static constexpr Facts facts{.domain = "",
                                 .name = "Range",
                                 .since = 27,
                                 .min_inputs = 3,
                                 .max_inputs = 3,
                                 .min_outputs = 1,
                                 .max_outputs = 1,
                                 .attrs = attrs};

    static Status move(MoveContext& m) {
        const DType dtype = m.dtype(0);
        if (!is_integer(dtype) && !is_floating(dtype)) return m.fail("type ", dtype);
        bool known = true;
        for (size_t i = 0; i < 3; ++i) {
            if (m.dtype(i) != dtype) return m.fail("types differ: ", dtype, " and ", m.dtype(i));
            if (m.shape(i).elements() != 1)
                return m.fail("input ", i, " has shape ", m.shape(i), ", not one element");
            known = known && m.value(i);
        }
        if (!known) return m.unknown(0, dtype);
        COFFER_TRY_ASSIGN(const int64_t count, is_integer(dtype) ? count_integers(m) : count_floats(m));
        COFFER_TRY(m.output(0, dtype, Shape{count}));
        if (!m.running()) return {};
        const TensorView& dst = m.result(0);
        if (is_integer(dtype)) {
            auto x = static_cast<uint64_t>(load_int(*m.value(0), 0));
            const auto delta = static_cast<uint64_t>(load_int(*m.value(2), 0));
            for (int64_t i = 0; i < count; ++i, x += delta) store_int(dst, i, static_cast<int64_t>(x));
            return {};
        }
        const double start = load_double(*m.value(0), 0), delta = load_double(*m.value(2), 0);
        for (int64_t i = 0; i < count; ++i) store_double(dst, i, start + static_cast<double>(i) * delta);
        return {};
    }

 private:
    static Result<int64_t> count_integers(MoveContext& m) {
        const int64_t start = load_int(*m.value(0), 0), limit = load_int(*m.value(1), 0),
                      delta = load_int(*m.value(2), 0);
        if (delta == 0) return m.fail("delta is 0");
        if (delta > 0 ? start >= limit : start <= limit) return int64_t{0};
        const uint64_t distance = delta > 0 ? uint64_t(limit) - uint64_t(start) : uint64_t(start) - uint64_t(limit);
        const uint64_t step = delta > 0 ? uint64_t(delta) : -uint64_t(delta);
        const uint64_t count = (distance - 1) / step + 1;
        if (count > uint64_t(INT64_MAX)) return m.fail(count, " elements");
        return static_cast<int64_t>(count);
    }
    static Result<int64_t> count_floats(MoveContext& m) {
        const double start = load_double(*m.value(0), 0), limit = load_double(*m.value(1), 0),
                     delta = load_double(*m.value(2), 0);
        const double count = std::ceil((limit - start) / delta);
        if (delta == 0 || std::isnan(count)) return m.fail("range from ", start, " to ", limit, " by ", delta);
        if (count > 0x1p53) return m.fail("range from ", start, " to ", limit, " by ", delta, " is too long");
        return count > 0 ? static_cast<int64_t>(count) : int64_t{0};
    }
};

}  // namespace coffer::ops
