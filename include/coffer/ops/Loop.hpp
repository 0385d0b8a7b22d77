// Runs a subgraph while its condition holds, at most M times. https://onnx.ai/onnx/operators/onnx__Loop.html
// Inputs: M, condition, carried values, captures. Body: iteration, condition, carried values, captures ->
// condition, carried values, scan outputs.
#pragma once

#include "coffer/ops/family/control.hpp"

namespace coffer::ops {

struct Loop {
    static constexpr AttrSpec attrs[] = {AttrSpec::must("body", AttrSpec::kGraph), AttrSpec::i("captures", 0)};
    static constexpr Facts facts{.domain = "",
                                 .name = "Loop",
                                 .since = 25,
                                 .min_inputs = 0,
                                 .max_inputs = kVariadic,
                                 .min_outputs = 0,
                                 .max_outputs = kVariadic,
                                 .attrs = attrs,
                                 .any_kind = true};

    static Status infer(InferContext& c) {
        COFFER_TRY_ASSIGN(const size_t own, own_inputs(c, 2));
        COFFER_TRY_ASSIGN(const uint32_t body, graph_attr(c, "body"));
        for (size_t i = 0; i < 2; ++i) {
            if (!c.has_input(i)) continue;
            COFFER_TRY(require_kind(c, i, ValueKind::kTensor));
            const DType wanted = i == 0 ? DType::kInt64 : DType::kBool;
            if (c.dtype(i) != wanted || c.shape(i).elements() != 1)
                return c.fail("input ", i, " is ", c.dtype(i), " ", c.shape(i));
        }
        const size_t carried = own - 2;
        if (c.output_count() < carried) return c.fail(c.output_count(), " outputs for ", carried, " carried values");
        std::vector<Type> in(c.inputs_.begin(), c.inputs_.begin() + static_cast<ptrdiff_t>(c.input_count()));
        for (size_t i = 2; i < own; ++i) {
            if (!c.has_input(i)) return c.fail("carried input ", i, " is missing");
        }
        in[0] = {ValueKind::kTensor, DType::kInt64, Shape{}, true};
        in[1] = {ValueKind::kTensor, DType::kBool, Shape{}, true};
        std::vector<Type> out(1 + c.output_count());
        // A carried value whose shape changes has no shape; that may make others lose theirs. When it does, all of
        // them do: rounds multiply where loops lie within each other, so there are no more than three.
        bool again = true;
        for (int round = 0; again; ++round) {
            COFFER_TRY(c.infer_graph(body, in, out));
            again = false;
            for (size_t i = 0; i < carried; ++i) {
                Type& before = in[2 + i];
                const Type& after = out[1 + i];
                // What depends on values is not known before the run.
                const bool known = before.dtype != DType::kUndefined && after.dtype != DType::kUndefined;
                if (known && (after.kind != before.kind || after.dtype != before.dtype)) {
                    return c.fail("carried value ", i, " changes from ", before.dtype, " to ", after.dtype);
                }
                if (before.shape_known && !same_type(before, after)) {
                    before.shape_known = false;
                    again = true;
                }
            }
            if (again && round == 1) {
                for (size_t i = 0; i < carried; ++i) in[2 + i].shape_known = false;
            }
        }
        for (size_t i = 0; i < carried; ++i) set_type(c, i, in[2 + i]);
        for (size_t i = carried; i < c.output_count(); ++i) c.set_unknown(i, out[1 + i].dtype);
        return {};
    }

    static Status reference(RunContext& c) {
        COFFER_TRY_ASSIGN(const size_t own, own_inputs(c, 2));
        COFFER_TRY_ASSIGN(const uint32_t body, graph_attr(c, "body"));
        const size_t carried = own - 2, scans = c.output_count() - carried;
        const int64_t most = c.has_input(0) ? load_int(c.input(0), 0) : INT64_MAX;
        bool go = !c.has_input(1) || truth(c.input(1));
        std::vector<Value> in(2), out;
        for (size_t i = 2; i < c.input_count(); ++i) in.push_back(c.input_value(i));
        std::vector<Rows> rows(scans);
        for (int64_t k = 0; go && k < most; ++k) {
            COFFER_TRY_ASSIGN(in[0], scalar_value(DType::kInt64, k));
            COFFER_TRY_ASSIGN(in[1], scalar_value(DType::kBool, 1));
            COFFER_TRY(c.run_graph(body, in, &out));
            if (out.size() < 1 + carried + scans)
                return c.fail("the body gives ", out.size(), " outputs, not ", 1 + carried + scans);
            const Tensor& condition = out[0].tensor;
            if (!condition.valid() || condition.elements() != 1)
                return c.fail("the body's condition has no single value");
            go = truth(condition.view());
            for (size_t i = 0; i < carried; ++i) in[2 + i] = std::move(out[1 + i]);
            for (size_t i = 0; i < scans; ++i) {
                if (c.has_output(carried + i)) COFFER_TRY(rows[i].append(c, out[1 + carried + i]));
            }
        }
        for (size_t i = 0; i < carried; ++i) {
            if (c.has_output(i)) COFFER_TRY(c.set_output_value(i, std::move(in[2 + i])));
        }
        for (size_t i = 0; i < scans; ++i) COFFER_TRY(rows[i].finish(c, carried + i));
        return {};
    }
};

}  // namespace coffer::ops
