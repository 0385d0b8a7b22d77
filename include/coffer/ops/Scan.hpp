// Runs a subgraph over the slices of some inputs, carrying state. https://onnx.ai/onnx/operators/onnx__Scan.html
// Inputs: states, scanned tensors, captures. Body: states, slices, captures -> states, slices of the outputs.
#pragma once

#include "coffer/ops/family/control.hpp"

namespace coffer::ops {

struct Scan {
    static constexpr AttrSpec attrs[] = {AttrSpec::must("body", AttrSpec::kGraph),
                                         AttrSpec::must("num_scan_inputs", AttrSpec::kInt),
                                         AttrSpec::optional("scan_input_axes", AttrSpec::kInts),
                                         AttrSpec::optional("scan_input_directions", AttrSpec::kInts),
                                         AttrSpec::optional("scan_output_axes", AttrSpec::kInts),
                                         AttrSpec::optional("scan_output_directions", AttrSpec::kInts),
                                         AttrSpec::i("captures", 0)};
    static constexpr Facts facts{.domain = "",
                                 .name = "Scan",
                                 .since = 25,
                                 .min_inputs = 1,
                                 .max_inputs = kVariadic,
                                 .min_outputs = 1,
                                 .max_outputs = kVariadic,
                                 .attrs = attrs};

    static Status infer(InferContext& c) {
        COFFER_TRY_ASSIGN(const Parts p, parts(c));
        COFFER_TRY_ASSIGN(const uint32_t body, graph_attr(c, "body"));
        std::vector<Type> in(c.inputs_.begin(), c.inputs_.begin() + static_cast<ptrdiff_t>(c.input_count()));
        int64_t length = -1;
        for (size_t i = 0; i < p.scanned; ++i) {
            Type& type = in[p.states + i];
            COFFER_TRY_ASSIGN(const int axis, list_axis(c, "scan_input_axes", i, p.scanned, type.shape.rank()));
            if (length >= 0 && type.shape[axis] != length)
                return c.fail("sequences of ", length, " and ", type.shape[axis]);
            length = type.shape[axis];
            type.shape = without(type.shape, axis);
            size_t bytes = 0;  // the axis taken out may be the only one without elements
            if (!checked_nbytes(type.shape, type.dtype, &bytes))
                return c.fail("a slice ", type.dtype, " ", type.shape, " is too large");
        }
        std::vector<Type> out(c.output_count());
        COFFER_TRY(c.infer_graph(body, in, out));
        for (size_t i = 0; i < out.size(); ++i) {
            if (out[i].kind != ValueKind::kTensor) return c.fail("output ", i, " is not a tensor");
            if (i < p.states) {
                if (out[i].dtype != DType::kUndefined && out[i].dtype != c.dtype(i))
                    return c.fail("state ", i, " changes from ", c.dtype(i), " to ", out[i].dtype);
                if (out[i].shape_known && out[i].shape != c.shape(i))
                    return c.fail("state ", i, " changes from ", c.shape(i), " to ", out[i].shape);
                c.set(i, c.dtype(i), c.shape(i));
                continue;
            }
            if (!out[i].shape_known) {
                c.set_unknown(i, out[i].dtype);
                continue;
            }
            COFFER_TRY_ASSIGN(const Shape to, stacked(c, p, i, out[i].shape, length));
            COFFER_TRY(check_size(c, out[i].dtype, to));
            c.set(i, out[i].dtype, to);
        }
        return {};
    }

    static Status reference(RunContext& c) {
        COFFER_TRY_ASSIGN(const Parts p, parts(c));
        COFFER_TRY_ASSIGN(const uint32_t body, graph_attr(c, "body"));
        int64_t length = 0;
        std::vector<Value> in, out;
        for (size_t i = 0; i < c.input_count(); ++i) in.push_back(c.input_value(i));
        for (size_t i = 0; i < p.scanned; ++i) {
            const Shape& shape = c.input(p.states + i).shape;
            COFFER_TRY_ASSIGN(const int axis, list_axis(c, "scan_input_axes", i, p.scanned, shape.rank()));
            length = shape[axis];
        }
        for (int64_t k = 0; k < length; ++k) {
            for (size_t i = 0; i < p.scanned; ++i) {
                const TensorView& x = c.input(p.states + i);
                COFFER_TRY_ASSIGN(const int axis, list_axis(c, "scan_input_axes", i, p.scanned, x.shape.rank()));
                COFFER_TRY_ASSIGN(Tensor slice, Tensor::create(x.dtype, without(x.shape, axis)));
                const int64_t at = backwards(c, "scan_input_directions", i) ? length - 1 - k : k;
                move_slice(slice.view(), x, axis, at, true);
                in[p.states + i] = Value(std::move(slice));
            }
            COFFER_TRY(c.run_graph(body, in, &out));
            if (out.size() < c.output_count())
                return c.fail("the body gives ", out.size(), " outputs, not ", c.output_count());
            for (size_t i = 0; i < p.states; ++i) in[i] = std::move(out[i]);
            for (size_t i = p.states; i < c.output_count(); ++i) {
                if (!c.has_output(i)) continue;
                const Tensor& t = out[i].tensor;
                if (!t.valid()) return c.fail("output ", i, " is not a tensor");
                COFFER_TRY_ASSIGN(const Shape to, stacked(c, p, i, t.shape(), length));
                if (!c.output(i).data) COFFER_TRY(c.allocate(i, t.dtype(), to));
                const TensorView& dst = c.output(i);
                if (dst.dtype != t.dtype() || dst.shape != to)
                    return c.fail("output ", i, " changes to ", t.dtype(), " ", t.shape());
                const size_t n = i - p.states;
                COFFER_TRY_ASSIGN(const int axis,
                                  list_axis(c, "scan_output_axes", n, c.output_count() - p.states, to.rank()));
                move_slice(t.view(), dst, axis, backwards(c, "scan_output_directions", n) ? length - 1 - k : k,
                           false);
            }
        }
        for (size_t i = 0; i < p.states; ++i) {
            if (c.has_output(i)) COFFER_TRY(c.set_output_value(i, std::move(in[i])));
        }
        for (size_t i = p.states; i < c.output_count(); ++i) {
            if (length == 0 && c.has_output(i) && !c.output(i).data)
                return c.fail("no steps, and output ", i, " has no static shape");
        }
        return {};
    }

 private:
    struct Parts {
        size_t states, scanned;
    };

    static Result<Parts> parts(const NodeContext& c) {
        COFFER_TRY_ASSIGN(const size_t own, own_inputs(c, 1));
        const int64_t scanned = c.attr_i("num_scan_inputs");
        if (scanned < 1 || scanned > static_cast<int64_t>(own)) return c.fail(scanned, " scan inputs of ", own);
        for (size_t i = 0; i < own; ++i) {
            if (!c.has_input(i)) return c.fail("input ", i, " is missing");
        }
        const Parts p{own - static_cast<size_t>(scanned), static_cast<size_t>(scanned)};
        if (c.output_count() < p.states) return c.fail(c.output_count(), " outputs for ", p.states, " states");
        for (const char* name : {"scan_input_directions", "scan_output_directions"}) {
            const size_t n = name[5] == 'i' ? p.scanned : c.output_count() - p.states;
            const auto list = c.attr_ints(name);
            if (!list.empty() && list.size() != n) return c.fail(name, " has ", list.size(), " entries, not ", n);
            for (int64_t d : list) {
                if (d != 0 && d != 1) return c.fail(name, " has a ", d);
            }
        }
        return p;
    }
    static Result<int> list_axis(const NodeContext& c, const char* name, size_t i, size_t count, int rank) {
        const auto list = c.attr_ints(name);
        if (!list.empty() && list.size() != count) return c.fail(name, " has ", list.size(), " entries, not ", count);
        int axis = 0;
        const int64_t given = list.empty() ? 0 : list[i];
        if (!normalize_axis(given, rank, &axis)) return c.fail(name, ": axis ", given, " is outside rank ", rank);
        return axis;
    }
    static bool backwards(const NodeContext& c, const char* name, size_t i) {
        const auto list = c.attr_ints(name);
        return !list.empty() && list[i] == 1;
    }
    static Shape without(const Shape& shape, int axis) {
        Shape s;
        for (int a = 0; a < shape.rank(); ++a) {
            if (a != axis) s.push_back(shape[a]);
        }
        return s;
    }
    static Result<Shape> stacked(const NodeContext& c, const Parts& p, size_t output, const Shape& slice,
                                 int64_t length) {
        if (slice.rank() == kMaxRank) return c.fail("output ", output, " of rank ", kMaxRank + 1);
        COFFER_TRY_ASSIGN(const int axis, list_axis(c, "scan_output_axes", output - p.states,
                                                    c.output_count() - p.states, slice.rank() + 1));
        Shape to;
        for (int a = 0; a <= slice.rank(); ++a) to.push_back(a == axis ? length : slice[a < axis ? a : a - 1]);
        return to;
    }
    // Slice `at` of `whole` along `axis`: read into `slice`, or written from it.
    static void move_slice(const TensorView& slice, const TensorView& whole, int axis, int64_t at, bool read) {
        const Slab near{slice, 1, 0}, far{whole, whole.shape[axis], at};
        copy_slab(read ? near : far, read ? far : near, whole.shape.elements(0, axis), 1,
                  whole.shape.elements(axis + 1, whole.shape.rank()));
    }
};

}  // namespace coffer::ops
