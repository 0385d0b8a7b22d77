// Runs a subgraph on every item of a sequence. https://onnx.ai/onnx/operators/onnx__SequenceMap.html
// Inputs: the sequence, more sequences of the same length or tensors passed whole, captures.
#pragma once

#include "coffer/ops/family/control.hpp"

namespace coffer::ops {

struct SequenceMap {
    static constexpr AttrSpec attrs[] = {AttrSpec::must("body", AttrSpec::kGraph), AttrSpec::i("captures", 0)};
    static constexpr Facts facts{.domain = "",
                                 .name = "SequenceMap",
                                 .since = 17,
                                 .min_inputs = 1,
                                 .max_inputs = kVariadic,
                                 .min_outputs = 1,
                                 .max_outputs = kVariadic,
                                 .attrs = attrs,
                                 .any_kind = true};

    static Status infer(InferContext& c) {
        COFFER_TRY_ASSIGN(const size_t own, own_inputs(c, 1));
        COFFER_TRY_ASSIGN(const uint32_t body, graph_attr(c, "body"));
        COFFER_TRY(require_kind(c, 0, ValueKind::kSequence));
        std::vector<Type> in, out(c.output_count());
        for (size_t i = 0; i < c.input_count(); ++i) {
            if (!c.has_input(i)) return c.fail("input ", i, " is missing");
            in.push_back(c.input(i));
            if (i < own && in[i].kind == ValueKind::kSequence) in[i] = {ValueKind::kTensor, in[i].dtype, {}, false};
        }
        COFFER_TRY(c.infer_graph(body, in, out));
        for (size_t i = 0; i < out.size(); ++i) c.set_kind(i, ValueKind::kSequence, out[i].dtype);
        return {};
    }
    static Status reference(RunContext& c) {
        COFFER_TRY_ASSIGN(const size_t own, own_inputs(c, 1));
        COFFER_TRY_ASSIGN(const uint32_t body, graph_attr(c, "body"));
        const size_t length = c.input_value(0).items.size();
        for (size_t i = 1; i < own; ++i) {
            const Value& v = c.input_value(i);
            if (v.kind == ValueKind::kSequence && v.items.size() != length)
                return c.fail("sequences of ", length, " and ", v.items.size());
        }
        std::vector<Value> in(c.input_count()), out;
        std::vector<std::vector<Value>> items(c.output_count());
        for (size_t k = 0; k < length; ++k) {
            for (size_t i = 0; i < in.size(); ++i) {
                const Value& v = c.input_value(i);
                in[i] = i < own && v.kind == ValueKind::kSequence ? v.items[k] : v;
            }
            COFFER_TRY(c.run_graph(body, in, &out));
            if (out.size() < items.size())
                return c.fail("the body gives ", out.size(), " outputs, not ", items.size());
            for (size_t i = 0; i < items.size(); ++i) {
                // Sequences of sequences could double their length in memory with every node.
                if (!out[i].tensor.valid()) return c.fail("output ", i, " is not a tensor");
                items[i].push_back(std::move(out[i]));
            }
        }
        for (size_t i = 0; i < items.size(); ++i) {
            const DType dtype = items[i].empty() ? c.input_value(0).dtype : items[i][0].dtype;
            if (c.has_output(i)) COFFER_TRY(c.set_output_value(i, make_sequence(dtype, std::move(items[i]))));
        }
        return {};
    }
};

}  // namespace coffer::ops
