// Rotates pairs of elements of each head by the angle of the token's position; the caches hold cos and sin.
// https://onnx.ai/onnx/operators/onnx__RotaryEmbedding.html
#pragma once

#include "coffer/ops/family/attention.hpp"

namespace coffer::ops {

struct RotaryEmbedding {
    static constexpr AttrSpec kAttrs[] = {AttrSpec::i("interleaved", 0), AttrSpec::i("num_heads", 0),
                                          AttrSpec::i("rotary_embedding_dim", 0)};
    static constexpr Facts facts{.domain = "",
                                 .name = "RotaryEmbedding",
                                 .since = 23,
                                 .min_inputs = 3,
                                 .max_inputs = 4,
                                 .min_outputs = 1,
                                 .max_outputs = 1,
                                 .attrs = kAttrs};

    static Status infer(InferContext& c) {
        if (!is_attention_float(c.dtype(0))) return c.fail("type ", c.dtype(0));
        if (c.dtype(1) != c.dtype(0) || c.dtype(2) != c.dtype(0)) {
            return c.fail("caches have types ", c.dtype(1), " and ", c.dtype(2), ", X has ", c.dtype(0));
        }
        if (c.has_input(3) && c.dtype(3) != DType::kInt64) return c.fail("position_ids of type ", c.dtype(3));
        Rotary r;
        COFFER_TRY(shape(c, c.shape(0), c.shape(1), c.shape(2), c.has_input(3) ? &c.shape(3) : nullptr, &r));
        c.set(0, c.dtype(0), c.shape(0));
        return {};
    }

    static Status reference(RunContext& c) {
        Rotary r;
        COFFER_TRY(shape(c, c.input(0).shape, c.input(1).shape, c.input(2).shape,
                         c.has_input(3) ? &c.input(3).shape : nullptr, &r));
        for (int64_t b = 0; b < r.batch; ++b) {
            for (int64_t t = 0; t < r.sequence; ++t) {
                int64_t row = b * r.sequence + t;
                if (c.has_input(3)) {
                    const int64_t position = c.input(3).as<const int64_t>()[row];
                    if (position < 0 || position >= r.positions) {
                        return c.fail("position ", position, " is outside the cache of ", r.positions);
                    }
                    row = position;
                }
                for (int64_t h = 0; h < r.heads; ++h) {
                    rotate(c.input(0), c.output(0), r.offset(b, h, t), r, c.input(1), c.input(2),
                           row * r.rotated / 2);
                }
            }
        }
        return {};
    }

 private:
    static Status shape(const NodeContext& c, const Shape& x, const Shape& cos, const Shape& sin, const Shape* ids,
                        Rotary* r) {
        if (x.rank() != 3 && x.rank() != 4) return c.fail("X ", x, " must have rank 3 or 4");
        r->heads_first = x.rank() == 4;
        r->interleaved = c.attr_i("interleaved") != 0;
        r->batch = x[0];
        if (r->heads_first) {
            r->heads = x[1];
            r->sequence = x[2];
            r->head_size = x[3];
        } else {
            r->heads = c.attr_i("num_heads");
            if (r->heads < 1 || x[2] % r->heads != 0) {
                return c.fail("num_heads is ", r->heads, " for a hidden size of ", x[2]);
            }
            r->sequence = x[1];
            r->head_size = x[2] / r->heads;
        }
        r->rotated = c.attr_i("rotary_embedding_dim");
        if (r->rotated == 0) r->rotated = r->head_size;
        if (r->rotated < 0 || r->rotated % 2 != 0 || r->rotated > r->head_size) {
            return c.fail("rotates ", r->rotated, " of ", r->head_size, " elements");
        }
        const int64_t half = r->rotated / 2;
        const Shape per_token{r->batch, r->sequence, half};
        if (!(cos == sin) || (ids ? cos.rank() != 2 || cos[1] != half : !(cos == per_token))) {
            return c.fail("caches ", cos, " and ", sin, " do not fit X ", x, " and ", half, " angles");
        }
        if (!ids) return {};
        r->positions = cos[0];
        if (!(*ids == Shape{r->batch, r->sequence})) return c.fail("position_ids ", *ids, " for X ", x);
        return {};
    }
};

}  // namespace coffer::ops
