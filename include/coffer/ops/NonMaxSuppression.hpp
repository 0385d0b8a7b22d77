// Boxes in the order of their scores, without those that overlap a better one.
// https://onnx.ai/onnx/operators/onnx__NonMaxSuppression.html
#pragma once

#include "coffer/ops/family/move.hpp"

namespace coffer::ops {

struct NonMaxSuppression {
    static constexpr AttrSpec attrs[] = {AttrSpec::i("center_point_box", 0)};
    static constexpr Facts facts{.domain = "",
                                 .name = "NonMaxSuppression",
                                 .since = 11,
                                 .min_inputs = 2,
                                 .max_inputs = 5,
                                 .min_outputs = 1,
                                 .max_outputs = 1,
                                 .attrs = attrs,
                                 .atol = 0,
                                 .rtol = 0};

    static Status infer(InferContext& c) {
        const Shape &boxes = c.shape(0), &scores = c.shape(1);
        if (c.dtype(0) != DType::kFloat || c.dtype(1) != DType::kFloat)
            return c.fail("boxes are ", c.dtype(0), ", scores ", c.dtype(1));
        if (boxes.rank() != 3 || boxes[2] != 4 || scores.rank() != 3 || scores[0] != boxes[0] ||
            scores[2] != boxes[1]) {
            return c.fail("boxes ", boxes, " and scores ", scores);
        }
        for (size_t i = 2; i < 5; ++i) {
            const DType wanted = i == 2 ? DType::kInt64 : DType::kFloat;
            if (c.has_input(i) && (c.dtype(i) != wanted || c.shape(i).elements() != 1)) {
                return c.fail("input ", i, " is ", c.dtype(i), " ", c.shape(i), ", not one ", wanted);
            }
        }
        const int64_t center = c.attr_i("center_point_box");
        if (center != 0 && center != 1) return c.fail("center_point_box ", center);
        c.set_unknown(0, DType::kInt64);
        return {};
    }
    static Status reference(RunContext& c) {
        const Shape& scores = c.input(1).shape;
        const int64_t batches = scores[0], classes = scores[1], n = scores[2];
        const auto* box = c.input(0).as<const float>();
        const auto* score = c.input(1).as<const float>();
        const int64_t most = std::clamp<int64_t>(c.has_input(2) ? load_int(c.input(2), 0) : 0, 0, n);
        if (most == 0) return c.allocate(0, DType::kInt64, Shape{0, 3});  // batches and classes may be of any number
        const float overlap = c.has_input(3) ? c.input(3).as<const float>()[0] : 0;
        const float* least = c.has_input(4) ? c.input(4).as<const float>() : nullptr;
        const bool center = c.attr_i("center_point_box") != 0;
        int64_t rows = 0, words = 0;
        if (!checked_mul(batches, classes, &rows) || !checked_mul(rows, most, &rows) ||
            !checked_mul<int64_t>(rows, 3, &words) || !checked_add(words, n, &words) ||
            !checked_mul<int64_t>(words, 8, &words)) {
            return c.fail("too many boxes");
        }
        COFFER_TRY_ASSIGN(std::byte* const memory, c.scratch(static_cast<size_t>(words)));
        auto* order = reinterpret_cast<int64_t*>(memory);
        int64_t *chosen = order + n, count = 0;
        for (int64_t pair = 0; pair < batches * classes; ++pair) {
            const float* s = score + pair * n;
            const float* boxes = box + pair / classes * n * 4;
            int64_t candidates = 0;
            for (int64_t i = 0; i < n; ++i) {
                if (s[i] == s[i] && (!least || s[i] > *least)) order[candidates++] = i;
            }
            std::sort(order, order + candidates,
                      [&](int64_t a, int64_t b) { return s[a] != s[b] ? s[a] > s[b] : a < b; });
            const int64_t first = count;
            for (int64_t k = 0; k < candidates && count - first < most; ++k) {
                bool keep = true;
                for (int64_t j = first; j < count && keep; ++j) {
                    keep = !(intersection_over_union(boxes + order[k] * 4, boxes + chosen[j * 3 + 2] * 4, center) >
                             overlap);
                }
                if (!keep) continue;
                chosen[count * 3] = pair / classes;
                chosen[count * 3 + 1] = pair % classes;
                chosen[count++ * 3 + 2] = order[k];
            }
        }
        COFFER_TRY(c.allocate(0, DType::kInt64, Shape{count, 3}));
        std::copy_n(chosen, count * 3, c.output(0).as<int64_t>());
        return {};
    }

 private:
    struct Corners {
        float y0, x0, y1, x1;
    };
    static Corners corners(const float* b, bool center) {  // (x, y, w, h), or any two opposite corners (y, x)
        if (center) return {b[1] - b[3] / 2, b[0] - b[2] / 2, b[1] + b[3] / 2, b[0] + b[2] / 2};
        return {std::min(b[0], b[2]), std::min(b[1], b[3]), std::max(b[0], b[2]), std::max(b[1], b[3])};
    }
    static float intersection_over_union(const float* p, const float* q, bool center) {
        const Corners a = corners(p, center), b = corners(q, center);
        const float h = std::min(a.y1, b.y1) - std::max(a.y0, b.y0), w = std::min(a.x1, b.x1) - std::max(a.x0, b.x0);
        if (!(h > 0) || !(w > 0)) return 0;
        const float both = h * w;
        return both / ((a.y1 - a.y0) * (a.x1 - a.x0) + (b.y1 - b.y0) * (b.x1 - b.x0) - both);
    }
};

}  // namespace coffer::ops
