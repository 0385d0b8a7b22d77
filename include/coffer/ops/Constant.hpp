// A constant given in an attribute. Importers turn it into a constant of the model; this is for one that is left.
// https://onnx.ai/onnx/operators/onnx__Constant.html
#pragma once

#include "coffer/ops/family/move.hpp"

namespace coffer::ops {

struct Constant : MoveOp<Constant> {
    static constexpr AttrSpec attrs[] = {
        AttrSpec::optional("value", AttrSpec::kTensor),         AttrSpec::optional("value_float", AttrSpec::kFloat),
        AttrSpec::optional("value_floats", AttrSpec::kFloats),  AttrSpec::optional("value_int", AttrSpec::kInt),
        AttrSpec::optional("value_ints", AttrSpec::kInts),      AttrSpec::optional("value_string", AttrSpec::kString),
        AttrSpec::optional("value_strings", AttrSpec::kStrings)};
    static constexpr Facts facts{.domain = "",
                                 .name = "Constant",
                                 .since = 25,
                                 .min_inputs = 0,
                                 .max_inputs = 0,
                                 .min_outputs = 1,
                                 .max_outputs = 1,
                                 .attrs = attrs,
                                 .atol = 0,
                                 .rtol = 0};

    static Status move(MoveContext& m) {
        int given = 0;
        for (const AttrSpec& a : attrs) given += m.node().has_attr(a.name);
        if (given != 1) return m.fail(given, " of the value attributes are given, not one");
        const graph::Node& node = m.node().node();
        for (const AttrSpec& a : attrs) {
            if (const graph::Attr* attr = node.find(a.name))
                return std::visit([&](const auto& v) { return give(m, v); }, attr->value);
        }
        return {};
    }

 private:
    static Status give(MoveContext& m, const Tensor& t) { return put(m, t.view()); }
    static Status give(MoveContext& m, const graph::GraphRef&) { return m.fail("a graph is no value"); }
    template <class T>
    static Status give(MoveContext& m, const T& scalar) {
        return put(m, {const_cast<T*>(&scalar), dtype_of<T>, Shape{}});
    }
    static Status give(MoveContext& m, const std::string& text) { return give(m, PrivateString(text)); }
    template <class T>
    static Status give(MoveContext& m, const PrivateVector<T>& list) {
        return put(m, {const_cast<T*>(list.data()), dtype_of<T>, Shape{static_cast<int64_t>(list.size())}});
    }
    static Status put(MoveContext& m, const TensorView& from) {
        COFFER_TRY(m.output(0, from.dtype, from.shape));
        if (m.running()) copy_elements(m.result(0), 0, 1, from, 0, 1, from.elements());
        return {};
    }
};

}  // namespace coffer::ops
