// Attention as a recurrence on a (key size, value size) state for each head: linear, gated, delta and gated delta
// rules. https://onnx.ai/onnx/operators/onnx__LinearAttention.html
#pragma once

#include "coffer/ops/family/attention.hpp"

namespace coffer::ops {

struct LinearAttention {
    static constexpr AttrSpec kAttrs[] = {AttrSpec::i("chunk_size", 64),
                                          AttrSpec::must("kv_num_heads", AttrSpec::kInt),
                                          AttrSpec::must("q_num_heads", AttrSpec::kInt), AttrSpec::f("scale", 0),
                                          AttrSpec::s("update_rule", "gated_delta")};
    static constexpr Facts facts{.domain = "",
                                 .name = "LinearAttention",
                                 .since = 27,
                                 .min_inputs = 3,
                                 .max_inputs = 6,
                                 .min_outputs = 1,
                                 .max_outputs = 2,
                                 .attrs = kAttrs,
                                 .atol = 1e-5,
                                 .rtol = 1e-4};

    static Status infer(InferContext& c) {
        for (size_t i = 0; i < 6; ++i) {
            if (!c.has_input(i)) continue;
            if (!is_attention_float(c.dtype(i)) || (i != 3 && c.dtype(i) != c.dtype(0))) {
                return c.fail("input ", i, " has type ", c.dtype(i), ", query ", c.dtype(0));
            }
        }
        Geometry g;
        COFFER_TRY(geometry(
            c, [&](size_t i) -> const Shape& { return c.shape(i); }, &g));
        int64_t width;
        if (!checked_mul(g.q.heads, g.v.size, &width)) return c.fail(g.q.heads, " heads of ", g.v.size, " values");
        c.set(0, c.dtype(0), Shape{g.batch, g.q.sequence, width});
        c.set(1, c.has_input(3) ? c.dtype(3) : c.dtype(0), Shape{g.batch, g.k.heads, g.k.size, g.v.size});
        return {};
    }

    static Status reference(RunContext& c) {
        Geometry g;
        COFFER_TRY(geometry(
            c, [&](size_t i) -> const Shape& { return c.input(i).shape; }, &g));
        const int64_t states = g.k.size * g.v.size;
        COFFER_TRY_ASSIGN(std::byte * memory, c.scratch(static_cast<size_t>(states + 1) * sizeof(double)));
        auto* const s = reinterpret_cast<double*>(memory);
        for (int64_t b = 0; b < g.batch; ++b) {
            for (int64_t h = 0; h < g.k.heads; ++h) {
                const int64_t at = (b * g.k.heads + h) * states;
                for (int64_t i = 0; i < states; ++i) s[i] = c.has_input(3) ? load_double(c.input(3), at + i) : 0;
                for (int64_t t = 0; t < g.q.sequence; ++t) {
                    update(c, g, b, h, t, s);
                    if (c.has_output(0)) answer(c, g, b, h, t, s);
                }
                for (int64_t i = 0; c.has_output(1) && i < states; ++i) store_double(c.output(1), at + i, s[i]);
            }
        }
        return {};
    }

 private:
    struct Geometry {
        int64_t batch = 0;
        HeadRows q, k, v;
        bool gated = false, delta = false;
        int64_t decays = 1;  // decay values of a head: 1 or one a key element
        int64_t beta_heads = 1;
        double scale = 1;
    };

    template <class ShapeOf>
    static Status geometry(const NodeContext& c, ShapeOf shape, Geometry* g) {
        const Shape &q = shape(0), &k = shape(1), &v = shape(2);
        const int64_t q_heads = c.attr_i("q_num_heads"), heads = c.attr_i("kv_num_heads");
        if (q.rank() != 3 || k.rank() != 3 || v.rank() != 3) {
            return c.fail("query ", q, ", key ", k, " and value ", v, " must have rank 3");
        }
        COFFER_TRY(head_rows(c, "query", q, q_heads, &g->q));
        COFFER_TRY(head_rows(c, "key", k, heads, &g->k));
        COFFER_TRY(head_rows(c, "value", v, heads, &g->v));
        g->batch = q[0];
        if (k[0] != q[0] || v[0] != q[0] || k[1] != q[1] || v[1] != q[1] || g->q.size != g->k.size ||
            q_heads % heads != 0) {
            return c.fail("query ", q, ", key ", k, " and value ", v, " do not fit ", q_heads, " and ", heads,
                          " heads");
        }
        const std::string_view rule = c.attr_s("update_rule");
        if (rule != "linear" && rule != "gated" && rule != "delta" && rule != "gated_delta") {
            return c.fail("update_rule '", rule, "'");
        }
        g->gated = rule == "gated" || rule == "gated_delta";
        g->delta = rule == "delta" || rule == "gated_delta";
        if ((g->gated && !c.has_input(4)) || (g->delta && !c.has_input(5))) {
            return c.fail("update_rule '", rule, "' needs ", g->gated ? "decay" : "", g->delta ? " beta" : "");
        }
        int64_t states;
        if (!Shape{g->k.size, g->v.size}.checked_elements(&states) || states > INT64_MAX / 16) {
            return c.fail("key size ", g->k.size, " and value size ", g->v.size, " are too large");
        }
        if (c.has_input(3) && !(shape(3) == Shape{g->batch, heads, g->k.size, g->v.size})) {
            return c.fail("past_state ", shape(3), " does not fit key ", k, " and value ", v);
        }
        if (g->gated) {
            g->decays = shape(4) == Shape{q[0], q[1], heads} ? 1 : g->k.size;
            if (!(shape(4) == Shape{q[0], q[1], heads * g->decays}))
                return c.fail("decay ", shape(4), " for key ", k);
        }
        if (g->delta) {
            g->beta_heads = shape(5).rank() == 3 ? shape(5)[2] : 0;
            if (!(shape(5) == Shape{q[0], q[1], g->beta_heads}) || (g->beta_heads != 1 && g->beta_heads != heads)) {
                return c.fail("beta ", shape(5), " for key ", k, " and ", heads, " heads");
            }
        }
        const double scale = c.attr_f("scale");
        g->scale = scale != 0 ? scale : 1 / std::sqrt(static_cast<double>(g->q.size));
        return {};
    }

    // S = decay * S + beta * k (x) (v - S^T k), the parts that the rule has.
    static void update(RunContext& c, const Geometry& g, int64_t b, int64_t h, int64_t t, double* s) {
        const int64_t keys = g.k.size, values = g.v.size, token = b * g.q.sequence + t;
        const auto key = [&](int64_t i) { return load_double(c.input(1), g.k.at(b, h, t) + i); };
        for (int64_t i = 0; g.gated && i < keys; ++i) {
            const int64_t at = (token * g.k.heads + h) * g.decays + (g.decays == 1 ? 0 : i);
            const double decay = std::exp(load_double(c.input(4), at));
            for (int64_t j = 0; j < values; ++j) s[i * values + j] *= decay;
        }
        const double beta = g.delta ? load_double(c.input(5), token * g.beta_heads + (g.beta_heads == 1 ? 0 : h)) : 1;
        for (int64_t j = 0; j < values; ++j) {
            double v = load_double(c.input(2), g.v.at(b, h, t) + j);
            for (int64_t i = 0; g.delta && i < keys; ++i) v -= s[i * values + j] * key(i);
            for (int64_t i = 0; i < keys; ++i) s[i * values + j] += beta * key(i) * v;
        }
    }
    // Y = scale * S^T q for every query head that shares this state.
    static void answer(RunContext& c, const Geometry& g, int64_t b, int64_t h, int64_t t, const double* s) {
        const int64_t group = g.q.heads / g.k.heads;
        const HeadRows y{g.q.heads, g.q.sequence, g.v.size, false};
        for (int64_t head = h * group; head < (h + 1) * group; ++head) {
            for (int64_t j = 0; j < g.v.size; ++j) {
                double sum = 0;
                for (int64_t i = 0; i < g.k.size; ++i) {
                    sum += load_double(c.input(0), g.q.at(b, head, t) + i) * s[i * g.v.size + j];
                }
                store_double(c.output(0), y.at(b, head, t) + j, g.scale * sum);
            }
        }
    }
};

}  // namespace coffer::ops
