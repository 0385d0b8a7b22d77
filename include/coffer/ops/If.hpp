// Runs one of two subgraphs. https://onnx.ai/onnx/operators/onnx__If.html
#pragma once

#include "coffer/ops/family/control.hpp"

namespace coffer::ops {

struct If {
    static constexpr AttrSpec attrs[] = {AttrSpec::must("then_branch", AttrSpec::kGraph),
                                         AttrSpec::must("else_branch", AttrSpec::kGraph), AttrSpec::i("captures", 0)};
    static constexpr Facts facts{.domain = "",
                                 .name = "If",
                                 .since = 25,
                                 .min_inputs = 1,
                                 .max_inputs = kVariadic,
                                 .min_outputs = 1,
                                 .max_outputs = kVariadic,
                                 .attrs = attrs,
                                 .any_kind = true};

    static Status infer(InferContext& c) {
        COFFER_TRY_ASSIGN(const size_t own, own_inputs(c, 1));
        COFFER_TRY_ASSIGN(const uint32_t then_graph, graph_attr(c, "then_branch"));
        COFFER_TRY_ASSIGN(const uint32_t else_graph, graph_attr(c, "else_branch"));
        if (own != 1) return c.fail(own, " inputs that are not captured, not one");
        COFFER_TRY(require_kind(c, 0, ValueKind::kTensor));
        if (c.dtype(0) != DType::kBool || c.shape(0).elements() != 1)
            return c.fail("condition is ", c.dtype(0), " ", c.shape(0));
        const auto captures = c.inputs_.subspan(1, c.input_count() - 1);
        std::vector<Type> a(c.output_count()), b(c.output_count());
        if (const TensorView* condition = c.known(0)) {
            COFFER_TRY(c.infer_graph(truth(*condition) ? then_graph : else_graph, captures, a));
            for (size_t i = 0; i < a.size(); ++i) set_type(c, i, a[i]);
            return {};
        }
        // A branch written for other shapes than these may not infer; then it is an error only when taken.
        Status first = c.infer_graph(then_graph, captures, a);
        const Status second = c.infer_graph(else_graph, captures, b);
        if (!first.ok() && !second.ok()) return first;
        const bool both = first.ok() && second.ok();
        for (size_t i = 0; i < a.size(); ++i) {
            Type type = first.ok() ? a[i] : b[i];
            const bool known = a[i].dtype != DType::kUndefined && b[i].dtype != DType::kUndefined;
            if (both && known && (a[i].kind != b[i].kind || a[i].dtype != b[i].dtype)) {
                return c.fail("output ", i, " is ", a[i].dtype, " in one branch and ", b[i].dtype, " in the other");
            }
            if (!both || !same_type(a[i], b[i])) type.shape_known = false;
            set_type(c, i, type);
        }
        return {};
    }
    static Status reference(RunContext& c) {
        COFFER_TRY_ASSIGN(const uint32_t branch, graph_attr(c, truth(c.input(0)) ? "then_branch" : "else_branch"));
        std::vector<Value> inputs, outputs;
        for (size_t i = 1; i < c.input_count(); ++i) inputs.push_back(c.input_value(i));
        COFFER_TRY(c.run_graph(branch, inputs, &outputs));
        if (outputs.size() < c.output_count())
            return c.fail("the branch gives ", outputs.size(), " outputs, not ", c.output_count());
        for (size_t i = 0; i < c.output_count(); ++i) {
            if (c.has_output(i)) COFFER_TRY(c.set_output_value(i, std::move(outputs[i])));
        }
        return {};
    }
};

}  // namespace coffer::ops
