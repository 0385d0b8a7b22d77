// What the ai.onnx.ml classifiers and regressors share: input rows, class labels, and the post-transforms that
// turn raw scores into what the node returns.
#pragma once

#include <cmath>

#include "coffer/ops/op.hpp"

namespace coffer::ops::ml {

inline bool is_ml_number(DType t) {
    return t == DType::kFloat || t == DType::kDouble || t == DType::kInt64 || t == DType::kInt32;
}

// X as rows of features: (N, C), or (C) as one row.
struct Rows {
    int64_t count = 0, width = 0;
};
inline Status rows_of(const NodeContext& c, const Shape& x, Rows* rows) {
    if (x.rank() != 1 && x.rank() != 2) return c.fail("X ", x, " must have rank 1 or 2");
    *rows = {x.rank() == 2 ? x[0] : 1, x.back()};
    return {};
}
inline Status number_rows(const InferContext& c, Rows* rows) {
    if (!is_ml_number(c.dtype(0))) return c.fail("type ", c.dtype(0));
    return rows_of(c, c.shape(0), rows);
}

// Inverse error function by Winitzki's approximation, which ONNX's expected results use.
inline double inverse_erf(double x) {
    constexpr double kA = 0.147, kPi = 3.14159265358979323846;
    const double log = std::log((1 - x) * (1 + x)), v = 2 / (kPi * kA) + 0.5 * log;
    const double root = std::sqrt(-v + std::sqrt(v * v - log / kA));
    return x < 0 ? -root : root;
}

enum class PostTransform : uint8_t { kNone, kSoftmax, kLogistic, kSoftmaxZero, kProbit };

// The attribute post_transform by name; false when unknown.
inline bool post_transform(std::string_view name, PostTransform* out) {
    constexpr std::string_view names[] = {"NONE", "SOFTMAX", "LOGISTIC", "SOFTMAX_ZERO", "PROBIT"};
    for (size_t i = 0; i < std::size(names); ++i) {
        if (name != names[i]) continue;
        *out = static_cast<PostTransform>(i);
        return true;
    }
    return false;
}
inline Status check_post_transform(const NodeContext& c) {
    PostTransform ignored;
    if (!post_transform(c.attr_s("post_transform"), &ignored)) {
        return c.fail("post_transform '", c.attr_s("post_transform"), "'");
    }
    return {};
}
inline PostTransform post_transform_of(const NodeContext& c) {
    PostTransform t = PostTransform::kNone;
    (void)post_transform(c.attr_s("post_transform"), &t);
    return t;
}

inline double logistic(double x) {
    const double v = 1 / (1 + std::exp(-std::fabs(x)));
    return x < 0 ? 1 - v : v;
}

inline void apply(PostTransform t, double* scores, int64_t count) {
    if (t == PostTransform::kNone || count == 0) return;
    if (t == PostTransform::kLogistic || t == PostTransform::kProbit) {
        for (int64_t i = 0; i < count; ++i) {
            scores[i] = t == PostTransform::kLogistic ? logistic(scores[i])
                                                      : 1.41421356237309504880 * inverse_erf(2 * scores[i] - 1);
        }
        return;
    }
    // SOFTMAX_ZERO leaves scores that are zero out: they stay zero.
    const double best = *std::max_element(scores, scores + count);
    double sum = 0;
    for (int64_t i = 0; i < count; ++i) {
        const bool zero = t == PostTransform::kSoftmaxZero && std::fabs(scores[i]) <= 1e-7;
        scores[i] = zero ? scores[i] * std::exp(-best) : std::exp(scores[i] - best);
        sum += scores[i];
    }
    for (int64_t i = 0; i < count; ++i) scores[i] = sum != 0 ? scores[i] / sum : scores[i];
}

// Class labels: a list of strings or of integers, under the op's own attribute names.
struct Labels {
    std::span<const int64_t> ints;
    std::span<const PrivateString> strings;

    size_t size() const { return ints.empty() ? strings.size() : ints.size(); }
    DType dtype() const { return strings.empty() ? DType::kInt64 : DType::kString; }
    void store(const TensorView& dst, int64_t at, size_t label) const {
        if (strings.empty()) {
            dst.as<int64_t>()[at] = label < ints.size() ? ints[label] : static_cast<int64_t>(label);
        } else {
            dst.as<PrivateString>()[at] = strings[label];
        }
    }
};
inline Status labels_of(const NodeContext& c, const char* ints, const char* strings, Labels* out) {
    *out = {c.attr_ints(ints), c.attr_strings(strings)};
    if (!out->ints.empty() && !out->strings.empty()) return c.fail("both ", ints, " and ", strings, " are given");
    return {};
}

// The two columns that a single score of a two-class model becomes.
enum class SecondColumn : uint8_t {
    kNone,        // stays one column
    kComplement,  // 1 - s, s
    kNegated,     // -s, s, and with LOGISTIC the logistic of each
};

// Writes the scores of one row, transformed, and returns how many.
inline int64_t store_scores(const TensorView& dst, int64_t at, PostTransform t, SecondColumn second, double* scores,
                            int64_t count) {
    double two[2];
    if (count == 1 && second != SecondColumn::kNone) {
        const double s = scores[0];
        if (t == PostTransform::kLogistic && second == SecondColumn::kNegated) {
            two[0] = logistic(-s);
            two[1] = logistic(s);
        } else {
            two[0] = second == SecondColumn::kComplement ? 1 - s : -s;
            two[1] = s;
            if (t == PostTransform::kProbit) apply(t, two, 2);
        }
        scores = two;
        count = 2;
    } else if (count > 1 || t == PostTransform::kLogistic || t == PostTransform::kProbit) {
        apply(t, scores, count);
    }
    for (int64_t i = 0; i < count; ++i) store_double(dst, at + i, scores[i]);
    return count;
}

inline size_t best_score(const double* scores, size_t count) {
    size_t best = 0;
    for (size_t i = 1; i < count; ++i) {
        if (scores[i] > scores[best]) best = i;
    }
    return best;
}

}  // namespace coffer::ops::ml
