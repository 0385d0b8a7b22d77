// (x - mean) / (standard deviation + 1e-9) over axes.
// https://onnx.ai/onnx/operators/onnx__MeanVarianceNormalization.html
#pragma once

#include "coffer/ops/family/norm.hpp"
#include "coffer/ops/family/reduce.hpp"

namespace coffer::ops {

struct MeanVarianceNormalization {
    static constexpr AttrSpec attrs[] = {AttrSpec::optional("axes", AttrSpec::kInts)};
    static constexpr Facts facts{.domain = "",
                                 .name = "MeanVarianceNormalization",
                                 .since = 13,
                                 .min_inputs = 1,
                                 .max_inputs = 1,
                                 .min_outputs = 1,
                                 .max_outputs = 1,
                                 .attrs = attrs};

    static Status infer(InferContext& c) {
        COFFER_TRY(expect_type(c, 0, kFloats));
        uint32_t mask = 0;
        COFFER_TRY(axes(c, c.shape(0).rank(), &mask));
        c.set(0, c.dtype(0), c.shape(0));
        return {};
    }
    static Status reference(RunContext& c) {
        const TensorView &src = c.input(0), &dst = c.output(0);
        uint32_t mask = 0;
        COFFER_TRY(axes(c, src.shape.rank(), &mask));
        const AxisSubset kept(src.shape, mask, false), over(src.shape, mask, true);
        for (int64_t i = 0; i < kept.count(); ++i) {
            const int64_t base = kept.offset(i);
            const Moments m =
                moments(over.count(), [&](int64_t k) { return load_double(src, base + over.offset(k)); });
            const double scale = 1 / (std::sqrt(m.variance) + 1e-9);
            for (int64_t k = 0; k < over.count(); ++k) {
                const int64_t at = base + over.offset(k);
                store_double(dst, at, (load_double(src, at) - m.mean) * scale);
            }
        }
        return {};
    }

 private:
    static Status axes(const NodeContext& c, int rank, uint32_t* mask) {
        constexpr int64_t by_default[] = {0, 2, 3};
        const auto given = c.attr_ints("axes");
        return axes_list_mask(c, given.empty() ? std::span<const int64_t>(by_default) : given, rank, mask);
    }
};

}  // namespace coffer::ops
