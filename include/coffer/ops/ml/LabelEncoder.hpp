// Maps keys to values, anything else to a default.
// https://onnx.ai/onnx/operators/onnx_aionnxml_LabelEncoder.html
#pragma once

#include "coffer/ops/family/ml_keys.hpp"

namespace coffer::ops::ml {

struct LabelEncoder {
    static constexpr AttrSpec kAttrs[] = {AttrSpec::f("default_float", -0.0f),
                                          AttrSpec::i("default_int64", -1),
                                          AttrSpec::s("default_string", "_Unused"),
                                          AttrSpec::optional("default_tensor", AttrSpec::kTensor),
                                          AttrSpec::optional("keys_floats", AttrSpec::kFloats),
                                          AttrSpec::optional("keys_int64s", AttrSpec::kInts),
                                          AttrSpec::optional("keys_strings", AttrSpec::kStrings),
                                          AttrSpec::optional("keys_tensor", AttrSpec::kTensor),
                                          AttrSpec::optional("values_floats", AttrSpec::kFloats),
                                          AttrSpec::optional("values_int64s", AttrSpec::kInts),
                                          AttrSpec::optional("values_strings", AttrSpec::kStrings),
                                          AttrSpec::optional("values_tensor", AttrSpec::kTensor)};
    static constexpr Facts facts{.domain = "ai.onnx.ml",
                                 .name = "LabelEncoder",
                                 .since = 4,
                                 .min_inputs = 1,
                                 .max_inputs = 1,
                                 .min_outputs = 1,
                                 .max_outputs = 1,
                                 .attrs = kAttrs};

    static Status infer(InferContext& c) {
        const KeyList k = keys(c), v = values(c);
        if (k.forms() != 1 || v.forms() != 1) return c.fail("needs one keys_* and one values_* list");
        if (k.size() != v.size()) return c.fail(k.size(), " keys and ", v.size(), " values");
        if (!mappable(k.dtype()) || !mappable(v.dtype())) return c.fail("maps ", k.dtype(), " to ", v.dtype());
        if (c.dtype(0) != k.dtype()) return c.fail("input of type ", c.dtype(0), ", keys of ", k.dtype());
        if (const Tensor* d = c.attr_tensor("default_tensor"); d && (d->dtype() != v.dtype() || d->elements() != 1)) {
            return c.fail("default_tensor is ", d->dtype(), " of shape ", d->shape(), ", values are ", v.dtype());
        }
        c.set(0, v.dtype(), c.shape(0));
        return {};
    }

    static Status reference(RunContext& c) {
        const KeyList v = values(c);
        const TensorView& dst = c.output(0);
        COFFER_TRY_ASSIGN(const KeyMap map, KeyMap::build(c, keys(c)));
        for (int64_t i = 0; i < dst.elements(); ++i) {
            const size_t at = map.find(c.input(0), i);
            if (at != KeyMap::kMissing)
                v.store(dst, i, at);
            else if (const Tensor* d = c.attr_tensor("default_tensor"))
                KeyList{{}, {}, {}, d}.store(dst, i, 0);
            else if (dst.dtype == DType::kString)
                dst.as<PrivateString>()[i] = c.attr_s("default_string");
            else if (is_floating(dst.dtype))
                store_double(dst, i, c.attr_f("default_float"));
            else
                store_int(dst, i, c.attr_i("default_int64"));
        }
        return {};
    }

 private:
    static KeyList keys(const NodeContext& c) {
        return {c.attr_strings("keys_strings"), c.attr_ints("keys_int64s"), c.attr_floats("keys_floats"),
                c.attr_tensor("keys_tensor")};
    }
    static KeyList values(const NodeContext& c) {
        return {c.attr_strings("values_strings"), c.attr_ints("values_int64s"), c.attr_floats("values_floats"),
                c.attr_tensor("values_tensor")};
    }
    static bool mappable(DType t) {
        return t == DType::kString || t == DType::kInt64 || t == DType::kInt32 || t == DType::kInt16 ||
               t == DType::kFloat || t == DType::kDouble;
    }
};

}  // namespace coffer::ops::ml
