// Scaled dot-product attention over heads, grouped heads included, with mask, causal and sliding-window limits, and
// the key-value cache inside (past, present) or outside (nonpad_kv_seqlen) of the op.
// https://onnx.ai/onnx/operators/onnx__Attention.html
#pragma once

#include "coffer/ops/family/attention.hpp"

namespace coffer::ops {

struct Attention {
    static constexpr AttrSpec kAttrs[] = {AttrSpec::i("is_causal", 0),
                                          AttrSpec::i("kv_num_heads", 0),
                                          AttrSpec::i("left_window_size", -1),
                                          AttrSpec::i("q_num_heads", 0),
                                          AttrSpec::i("qk_matmul_output_mode", 0),
                                          AttrSpec::i("right_window_size", -1),
                                          AttrSpec::f("scale", 0),
                                          AttrSpec::f("softcap", 0),
                                          AttrSpec::i("softmax_precision", 0)};
    static constexpr Facts facts{.domain = "",
                                 .name = "Attention",
                                 .since = 25,
                                 .min_inputs = 3,
                                 .max_inputs = 7,
                                 .min_outputs = 1,
                                 .max_outputs = 4,
                                 .attrs = kAttrs,
                                 .atol = 1e-5,
                                 .rtol = 1e-4};

    struct Geometry {
        int64_t batch = 0, past = 0, total = 0;
        HeadRows q, k, v, y;
    };

    static Status infer(InferContext& c) {
        const DType t = c.dtype(0);
        if (!is_attention_float(t) || c.dtype(1) != t || !is_attention_float(c.dtype(2))) {
            return c.fail("Q, K and V have types ", t, ", ", c.dtype(1), " and ", c.dtype(2));
        }
        if (c.has_input(3) && !is_attention_float(c.dtype(3)) && c.dtype(3) != DType::kBool &&
            !is_integer(c.dtype(3))) {
            return c.fail("attn_mask of type ", c.dtype(3));
        }
        if (c.has_input(4) != c.has_input(5)) return c.fail("past_key and past_value must come together");
        if (c.has_input(4) && (c.dtype(4) != t || c.dtype(5) != c.dtype(2))) {
            return c.fail("past_key and past_value have types ", c.dtype(4), " and ", c.dtype(5));
        }
        if (c.has_input(6) && c.dtype(6) != DType::kInt64) return c.fail("nonpad_kv_seqlen of type ", c.dtype(6));
        if (c.has_input(6) && c.has_input(4)) return c.fail("nonpad_kv_seqlen cannot be combined with past_key");
        if (const int64_t mode = c.attr_i("qk_matmul_output_mode"); mode < 0 || mode > 3) {
            return c.fail("qk_matmul_output_mode is ", mode);
        }
        if (c.attr_i("left_window_size") < -1 || c.attr_i("right_window_size") < -1) {
            return c.fail("window sizes ", c.attr_i("left_window_size"), " and ", c.attr_i("right_window_size"));
        }
        if (c.has_attr("softmax_precision")) {
            const int64_t p = c.attr_i("softmax_precision");
            if (p != 1 && p != 10 && p != 11 && p != 16) return c.fail("softmax_precision is ", p);
        }
        if (!(c.attr_f("softcap") >= 0)) return c.fail("softcap is ", c.attr_f("softcap"));
        Geometry g;
        COFFER_TRY(geometry(
            c, [&](size_t i) -> const Shape& { return c.shape(i); }, &g));
        int64_t width;
        if (!checked_mul(g.y.heads, g.y.size, &width)) return c.fail(g.y.heads, " heads of ", g.y.size, " values");
        c.set(0, t,
              g.y.heads_first ? Shape{g.batch, g.y.heads, g.y.sequence, g.y.size}
                              : Shape{g.batch, g.y.sequence, width});
        c.set(1, c.dtype(1), Shape{g.batch, g.k.heads, g.total, g.k.size});
        c.set(2, c.dtype(2), Shape{g.batch, g.v.heads, g.total, g.v.size});
        c.set(3, t, Shape{g.batch, g.q.heads, g.q.sequence, g.total});
        return {};
    }

    static Status reference(RunContext& c) {
        Geometry g;
        COFFER_TRY(geometry(
            c, [&](size_t i) -> const Shape& { return c.input(i).shape; }, &g));
        for (int64_t b = 0; c.has_input(6) && b < g.batch; ++b) {
            const int64_t length = load_int(c.input(6), b);
            if (length < 0 || length > g.total) return c.fail("nonpad_kv_seqlen has ", length, " for ", g.total);
        }
        append(c, g, 4, 1, g.k);
        append(c, g, 5, 2, g.v);
        // Without elements in what is wanted of the rows there may be any number of them.
        if (wanted(c, 0) == 0 && wanted(c, 3) == 0) return {};
        const auto total = static_cast<size_t>(g.total);
        COFFER_TRY_ASSIGN(std::byte * memory, c.scratch(2 * std::max<size_t>(total, 1) * sizeof(double)));
        auto* const logits = reinterpret_cast<double*>(memory);
        for (int64_t b = 0; b < g.batch; ++b) {
            for (int64_t h = 0; h < g.q.heads; ++h) {
                for (int64_t i = 0; i < g.q.sequence; ++i) row(c, g, b, h, i, logits, logits + total);
            }
        }
        return {};
    }

 private:
    static int64_t wanted(const RunContext& c, size_t output) {
        return c.has_output(output) ? c.output(output).elements() : 0;
    }
    template <class ShapeOf>
    static Status geometry(const NodeContext& c, ShapeOf shape, Geometry* g) {
        const Shape &q = shape(0), &k = shape(1), &v = shape(2);
        if (q.rank() != k.rank() || q.rank() != v.rank())
            return c.fail("Q ", q, ", K ", k, " and V ", v, " differ in rank");
        if (q.rank() == 4 && (c.has_attr("q_num_heads") || c.has_attr("kv_num_heads"))) {
            return c.fail("q_num_heads and kv_num_heads are for inputs of rank 3, Q is ", q);
        }
        COFFER_TRY(head_rows(c, "Q", q, c.attr_i("q_num_heads"), &g->q));
        COFFER_TRY(head_rows(c, "K", k, c.attr_i("kv_num_heads"), &g->k));
        COFFER_TRY(head_rows(c, "V", v, c.attr_i("kv_num_heads"), &g->v));
        g->batch = q[0];
        if (k[0] != q[0] || v[0] != q[0] || g->k.size != g->q.size || g->k.sequence != g->v.sequence ||
            g->k.heads != g->v.heads) {
            return c.fail("Q ", q, ", K ", k, " and V ", v, " do not fit together");
        }
        if (g->k.heads < 1 || g->q.heads % g->k.heads != 0) {
            return c.fail(g->q.heads, " query heads do not share ", g->k.heads, " key heads evenly");
        }
        if (c.has_input(4)) {
            g->past = shape(4).rank() == 4 ? shape(4)[2] : -1;
            if (!(shape(4) == Shape{g->batch, g->k.heads, g->past, g->k.size}) ||
                !(shape(5) == Shape{g->batch, g->v.heads, g->past, g->v.size})) {
                return c.fail("past_key ", shape(4), " and past_value ", shape(5), " do not fit K ", k, " and V ", v);
            }
        }
        if (!checked_add(g->past, g->k.sequence, &g->total)) return c.fail("sequence is too long");
        g->y = {g->q.heads, g->q.sequence, g->v.size, g->q.heads_first};
        if (c.has_input(6) && !(shape(6) == Shape{g->batch})) {
            return c.fail("nonpad_kv_seqlen has shape ", shape(6), " for batch ", g->batch);
        }
        if (!c.has_input(3)) return {};
        // Broadcast to (batch, heads, queries, keys); the keys may be fewer.
        const Shape& mask = shape(3);
        const int64_t full[] = {g->batch, g->q.heads, g->q.sequence, g->total};
        bool fits = mask.rank() >= 1 && mask.rank() <= 4;
        for (int i = 1; fits && i <= mask.rank(); ++i) {
            const int64_t d = mask[mask.rank() - i];
            fits = i == 1 ? d <= full[3] : d == 1 || d == full[4 - i];
        }
        if (!fits)
            return c.fail("attn_mask ", mask, " does not fit (", full[0], ", ", full[1], ", ", full[2], ", ", full[3],
                          ")");
        return {};
    }

    // Element (b, h, t, i) of past and K (or V) put one after the other.
    static double cached(const RunContext& c, const Geometry& g, const HeadRows& rows, size_t past, size_t current,
                         int64_t b, int64_t h, int64_t t, int64_t i) {
        if (t < g.past) return load_double(c.input(past), ((b * rows.heads + h) * g.past + t) * rows.size + i);
        return load_double(c.input(current), rows.at(b, h, t - g.past) + i);
    }
    static void append(RunContext& c, const Geometry& g, size_t past, size_t current, const HeadRows& rows) {
        if (!c.has_output(current)) return;  // present_key and present_value have the numbers of K and V
        int64_t at = 0;
        for (int64_t b = 0; b < g.batch; ++b) {
            for (int64_t h = 0; h < rows.heads; ++h) {
                for (int64_t t = 0; t < g.total; ++t) {
                    for (int64_t i = 0; i < rows.size; ++i) {
                        store_double(c.output(current), at++, cached(c, g, rows, past, current, b, h, t, i));
                    }
                }
            }
        }
    }
    // What is added to the logit of query i and key j; -infinity where it may not look.
    static double bias(const RunContext& c, const Geometry& g, int64_t b, int64_t h, int64_t i, int64_t j) {
        int64_t offset = g.past;
        if (c.has_input(6)) {
            const int64_t length = load_int(c.input(6), b);
            if (j >= length) return -HUGE_VAL;
            offset = length - g.q.sequence;
        }
        const int64_t left = c.attr_i("left_window_size"), right = c.attr_i("right_window_size");
        const int64_t ahead = j - (i + offset);
        if ((c.attr_i("is_causal") != 0 && ahead > 0) || (left >= 0 && -ahead > left) ||
            (right >= 0 && ahead > right)) {
            return -HUGE_VAL;
        }
        if (!c.has_input(3)) return 0;
        const TensorView& mask = c.input(3);
        const int64_t index[] = {b, h, i, j};
        int64_t at = 0;
        if (const int64_t keys = mask.shape.back(); j >= keys) return -HUGE_VAL;
        for (int k = 0; k < mask.shape.rank(); ++k) {
            const int64_t d = mask.shape[k];
            at = at * d + (k + 1 < mask.shape.rank() && d == 1 ? 0 : index[4 - mask.shape.rank() + k]);
        }
        const double value = load_double(mask, at);
        return mask.dtype == DType::kBool ? (value != 0 ? 0 : -HUGE_VAL) : value;
    }
    static void row(RunContext& c, const Geometry& g, int64_t b, int64_t h, int64_t i, double* logits,
                    double* biases) {
        const DType t = c.input(0).dtype;
        const int64_t kv = h / (g.q.heads / g.k.heads), mode = c.attr_i("qk_matmul_output_mode");
        const int64_t out = ((b * g.q.heads + h) * g.q.sequence + i) * g.total;
        const double cap = c.attr_f("softcap");
        // Every value between the steps is rounded to the element type, as the op's definition as a function does.
        const double whole = c.has_attr("scale") ? c.attr_f("scale") : 1 / std::sqrt(static_cast<double>(g.q.size));
        const double scale = round_to(t, std::sqrt(whole));
        const auto precision =
            c.has_attr("softmax_precision") ? static_cast<DType>(c.attr_i("softmax_precision")) : t;
        const auto show = [&](int64_t j, double x) {
            if (c.has_output(3)) store_double(c.output(3), out + j, x);
        };
        double best = -HUGE_VAL, sum = 0, open = -HUGE_VAL;
        for (int64_t j = 0; j < g.total; ++j) {
            double x = 0;
            for (int64_t k = 0; k < g.q.size; ++k) {
                x += round_to(t, load_double(c.input(0), g.q.at(b, h, i) + k) * scale) *
                     round_to(t, cached(c, g, g.k, 4, 1, b, kv, j, k) * scale);
            }
            x = round_to(t, x);
            if (mode == 0) show(j, x);
            if (cap > 0) x = cap * std::tanh(x / cap);
            if (mode == 1) show(j, x);
            biases[j] = bias(c, g, b, h, i, j);
            x = round_to(t, x + biases[j]);
            if (mode == 2) show(j, x);
            logits[j] = round_to(precision, x);
            best = std::max(best, logits[j]);
            open = std::max(open, biases[j]);
        }
        // The published bfloat16 results round every partial sum of the softmax. Over many keys such a sum stops
        // growing, so that is followed only as far as it does no harm.
        const bool round_each = precision == DType::kBfloat16 && g.total <= 32;
        // A query that may look at no key gives zeros.
        const bool masked = open == -HUGE_VAL;
        for (int64_t j = 0; j < g.total; ++j) {
            logits[j] = masked ? 0 : round_to(precision, std::exp(round_to(precision, logits[j] - best)));
            sum += logits[j];
            if (round_each) sum = round_to(precision, sum);
        }
        sum = round_to(precision, sum);
        for (int64_t j = 0; j < g.total; ++j) {
            logits[j] = masked ? 0 : round_to(t, round_to(precision, logits[j] / sum));
            if (mode == 3) show(j, logits[j]);
        }
        for (int64_t k = 0; c.has_output(0) && k < g.v.size; ++k) {
            double y = 0;
            for (int64_t j = 0; j < g.total; ++j) {
                if (logits[j] != 0) y += logits[j] * cached(c, g, g.v, 5, 2, b, kv, j, k);
            }
            store_double(c.output(0), g.y.at(b, h, i) + k, y);
        }
    }
};

}  // namespace coffer::ops
