// Crops or pads with zeros to `shape`, keeping the middle. https://onnx.ai/onnx/operators/onnx__CenterCropPad.html
#pragma once

#include "coffer/ops/family/move_pad.hpp"

namespace coffer::ops {

struct CenterCropPad : FastMoveOp<CenterCropPad> {
    static constexpr AttrSpec attrs[] = {AttrSpec::optional("axes", AttrSpec::kInts)};
    static constexpr Facts facts{.domain = "",
                                 .name = "CenterCropPad",
                                 .since = 18,
                                 .min_inputs = 2,
                                 .max_inputs = 2,
                                 .min_outputs = 1,
                                 .max_outputs = 1,
                                 .attrs = attrs,
                                 .atol = 0,
                                 .rtol = 0};

    static Status move(MoveContext& m) {
        const Shape& from = m.shape(0);
        Ints wanted;
        COFFER_TRY_ASSIGN(const bool known, m.ints(1, &wanted));
        COFFER_TRY_ASSIGN(Ints axes, m.axes(m.node().attr_ints("axes"), from.rank()));
        if (!m.node().has_attr("axes")) {
            for (; axes.n < from.rank(); ++axes.n) axes.v[axes.n] = axes.n;
        }
        if (wanted.n != axes.n) return m.fail(wanted.n, " dims for ", axes.n, " axes");
        if (!known) return m.unknown(0, m.dtype(0));
        Strides before{}, after{};
        for (int i = 0; i < axes.n; ++i) {
            const auto a = static_cast<int>(axes[i]);
            if (wanted[i] < 0) return m.fail("dim ", wanted[i], " on axis ", a);
            const int64_t diff = wanted[i] - from[a];
            before[size_t(a)] = diff / 2;  // towards zero: the odd element goes, or is added, at the end
            after[size_t(a)] = diff - diff / 2;
        }
        Padding padding;
        COFFER_TRY(padding.set(m, from, before, after));
        COFFER_TRY(m.output(0, m.dtype(0), padding.to()));
        return padding.copy(m);
    }
};

}  // namespace coffer::ops
