// What LinearRegressor and LinearClassifier share: scores = x * coefficients^T + intercepts.
#pragma once

#include "coffer/ops/family/ml.hpp"

namespace coffer::ops::ml {

inline Status check_linear(const NodeContext& c, const Rows& rows, int64_t targets) {
    const size_t coefficients = c.attr_floats("coefficients").size(), intercepts = c.attr_floats("intercepts").size();
    int64_t want;
    if (targets < 1 || !checked_mul(targets, rows.width, &want) || coefficients != static_cast<uint64_t>(want) ||
        (intercepts != 0 && intercepts != static_cast<uint64_t>(targets))) {
        return c.fail(coefficients, " coefficients and ", intercepts, " intercepts for ", targets, " targets of ",
                      rows.width, " features");
    }
    return {};
}

inline void linear_scores(const RunContext& c, const Rows& rows, int64_t row, std::span<double> scores) {
    const auto coefficients = c.attr_floats("coefficients"), intercepts = c.attr_floats("intercepts");
    for (size_t k = 0; k < scores.size(); ++k) {
        double sum = intercepts.empty() ? 0 : intercepts[k];
        for (int64_t i = 0; i < rows.width; ++i) {
            sum += load_double(c.input(0), row * rows.width + i) *
                   coefficients[k * static_cast<size_t>(rows.width) + static_cast<size_t>(i)];
        }
        scores[k] = sum;
    }
}

}  // namespace coffer::ops::ml
