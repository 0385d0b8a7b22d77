// x Phi(x), by erf or its tanh approximation. https://onnx.ai/onnx/operators/onnx__Gelu.html
#pragma once

#include "coffer/ops/family/unary_gelu.hpp"

namespace coffer::ops {

struct Gelu : UnaryFast<Gelu> {
    static constexpr AttrSpec attrs[] = {AttrSpec::s("approximate", "none")};
    static constexpr Facts facts = unary_facts("Gelu", 20, attrs);
    struct Params {
        bool by_tanh;
    };
    static Params params(const NodeContext& c) { return {c.attr_s("approximate") == "tanh"}; }
    static Status check(const InferContext& c) {
        const std::string_view mode = c.attr_s("approximate");
        if (mode != "none" && mode != "tanh") return c.fail("approximate is '", mode, "', not none or tanh");
        return {};
    }

    static double scalar(double x, const Params& p) { return p.by_tanh ? gelu::by_tanh(x) : gelu::exact(x); }
    template <class V>
    static V simd(V x, const Params& p) {
        return p.by_tanh ? gelu::by_tanh(x) : gelu::exact(x);
    }
};

}  // namespace coffer::ops
