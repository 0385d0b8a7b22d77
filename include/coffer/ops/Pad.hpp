// Pads (or, with negative pads, crops) at both ends of the axes. https://onnx.ai/onnx/operators/onnx__Pad.html
#pragma once

#include "coffer/ops/family/move_pad.hpp"

namespace coffer::ops {

struct Pad : FastMoveOp<Pad> {
    static constexpr AttrSpec attrs[] = {AttrSpec::s("mode", "constant")};
    static constexpr Facts facts{.domain = "",
                                 .name = "Pad",
                                 .since = 25,
                                 .min_inputs = 2,
                                 .max_inputs = 4,
                                 .min_outputs = 1,
                                 .max_outputs = 1,
                                 .attrs = attrs,
                                 .layout = LayoutRule::kAxis,
                                 .atol = 0,
                                 .rtol = 0};

    static Status move(MoveContext& m) {
        const Shape& from = m.shape(0);
        const std::string_view mode = m.node().attr_s("mode");
        Padding padding;
        if (mode == "reflect") {
            padding.mode = PadMode::kReflect;
        } else if (mode == "edge") {
            padding.mode = PadMode::kEdge;
        } else if (mode == "wrap") {
            padding.mode = PadMode::kWrap;
        } else if (mode != "constant") {
            return m.fail("mode '", mode, "'");
        }
        if (m.has_input(2)) {
            if (m.dtype(2) != m.dtype(0)) return m.fail("constant_value is ", m.dtype(2), ", data ", m.dtype(0));
            if (m.shape(2).elements() != 1) return m.fail("constant_value has shape ", m.shape(2));
            padding.value_input = 2;
        }
        Ints pads, given, axes;
        COFFER_TRY_ASSIGN(bool known, m.ints(1, &pads));
        if (m.has_input(3)) {
            COFFER_TRY_ASSIGN(const bool known_axes, m.ints(3, &given));
            known = known && known_axes;
        } else {
            for (; given.n < from.rank(); ++given.n) given.v[given.n] = given.n;
        }
        if (pads.n != 2 * given.n) return m.fail(pads.n, " pads for ", given.n, " axes");
        if (!known) return m.unknown(0, m.dtype(0));
        COFFER_TRY_ASSIGN(axes, m.axes(given.span(), from.rank()));
        Strides before{}, after{};
        for (int i = 0; i < axes.n; ++i) {
            before[size_t(axes[i])] = pads[i];
            after[size_t(axes[i])] = pads[i + axes.n];
        }
        COFFER_TRY(padding.set(m, from, before, after));
        COFFER_TRY(m.output(0, m.dtype(0), padding.to()));
        return padding.copy(m);
    }
};

}  // namespace coffer::ops
