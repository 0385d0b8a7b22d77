// Bodies of tree.hpp. Only arch.cpp includes this file.
#pragma once

#include <math.h>

#include "coffer/kernels/simd.hpp"
#include "coffer/kernels/tree.hpp"

namespace coffer::kernels {

// One step of a walk; a leaf stays where it is.
template <class Arch>
inline uint32_t tree_step(const TreeNode* nodes, uint32_t at, const float* x) {
    const TreeNode& n = nodes[at];
    const float value = x[(n.feature & ~kTreeNanFirst) - 1];
    const bool first = value <= n.split || ((n.feature & kTreeNanFirst) != 0 && value != value);
    return n.child + (first ? 0 : 1);
}

template <class Arch>
inline uint32_t tree_walk(const TreeNode* nodes, uint32_t at, const float* x) {
    while (nodes[at].feature != kTreeLeaf) at = tree_step<Arch>(nodes, at, x);
    return nodes[at].child;
}

// The constants of a forest, by the names of their operands.
template <class Arch>
struct TreeArrays {
    const TreeNode* nodes;
    const uint32_t* roots;
    const float* leaf_weights;
    const uint32_t *leaf_targets, *leaf_offsets;
    const double* base;
    const int64_t* labels;
};

template <class Arch>
inline void tree_add(const TreeArrays<Arch>& a, size_t targets, uint32_t leaf, double* scores) {
    if (!a.leaf_offsets) {
        const float* weights = a.leaf_weights + leaf * targets;
        for (size_t k = 0; k < targets; ++k) scores[k] += static_cast<double>(weights[k]);
        return;
    }
    for (uint32_t i = a.leaf_offsets[leaf]; i < a.leaf_offsets[leaf + 1]; ++i) {
        scores[a.leaf_targets[i]] += static_cast<double>(a.leaf_weights[i]);
    }
}

template <class Arch>
double tree_logistic(double x) {
    const double v = 1 / (1 + exp(-fabs(x)));
    return x < 0 ? 1 - v : v;
}

// Scores of one row to its columns and label, as ops::ml::store_scores does.
template <class Arch>
void tree_finish(const TreeParams& p, const TreeArrays<Arch>& a, double* scores, float* dst, int64_t* label) {
    if (p.average) {
        for (size_t i = 0; i < p.targets; ++i) scores[i] /= static_cast<double>(p.trees);
    }
    for (size_t i = 0; a.base && i < p.targets; ++i) scores[i] += a.base[i];
    if (p.two_classes != TwoClasses::kNone) {
        const bool margin = p.two_classes == TwoClasses::kMargin, logistic = margin && p.transform == 2;
        const double s = scores[0];
        if (label) *label = a.labels[s > (margin ? 0 : 0.5) ? 1 : 0];
        if (!dst) return;
        dst[0] = static_cast<float>(logistic ? tree_logistic<Arch>(-s) : margin ? -s : 1 - s);
        dst[1] = static_cast<float>(logistic ? tree_logistic<Arch>(s) : s);
        return;
    }
    size_t best = 0;
    for (size_t i = 1; i < p.targets; ++i) {
        if (scores[i] > scores[best]) best = i;
    }
    if (label) *label = a.labels[best];
    if (!dst) return;
    if (p.transform == 1 && p.targets > 1) {
        const double most = scores[best];
        double sum = 0;
        for (size_t i = 0; i < p.targets; ++i) sum += scores[i] = exp(scores[i] - most);
        for (size_t i = 0; i < p.targets; ++i) scores[i] /= sum;
    }
    for (size_t i = 0; i < p.targets; ++i) {
        dst[i] = static_cast<float>(p.transform == 2 ? tree_logistic<Arch>(scores[i]) : scores[i]);
    }
}

template <class Arch>
bool tree_rows(const void* params, void* const* operands, size_t begin, size_t end) {
    const auto& p = *static_cast<const TreeParams*>(params);
    const TreeArrays<Arch> a{static_cast<const TreeNode*>(operands[1]), static_cast<const uint32_t*>(operands[2]),
                             static_cast<const float*>(operands[3]),    static_cast<const uint32_t*>(operands[4]),
                             static_cast<const uint32_t*>(operands[5]), static_cast<const double*>(operands[6]),
                             static_cast<const int64_t*>(operands[7])};
    const size_t columns = p.two_classes == TwoClasses::kNone ? p.targets : 2;
    auto* dst = static_cast<float*>(operands[8]);
    auto* labels = static_cast<int64_t*>(operands[9]);
    for (size_t unit = begin; unit < end; ++unit) {
        const size_t first = unit * kTreeRows, count = p.rows - first < kTreeRows ? p.rows - first : kTreeRows;
        const float* x = static_cast<const float*>(operands[0]) + first * p.width;
        double* scores = static_cast<double*>(operands[10]) + first * p.targets;
        for (size_t i = 0; i < count * p.targets; ++i) scores[i] = 0;
        if (count == 1) {
            // One row: four trees at a time, added in their order.
            size_t tree = 0;
            for (; tree + 4 <= p.trees; tree += 4) {
                uint32_t at[4];
                for (size_t k = 0; k < 4; ++k) at[k] = a.roots[tree + k];
                for (bool moving = true; moving;) {
                    moving = false;
                    for (size_t k = 0; k < 4; ++k) {
                        if (a.nodes[at[k]].feature == kTreeLeaf) continue;
                        at[k] = tree_step<Arch>(a.nodes, at[k], x);
                        moving = true;
                    }
                }
                for (size_t k = 0; k < 4; ++k) tree_add(a, p.targets, a.nodes[at[k]].child, scores);
            }
            for (; tree < p.trees; ++tree) tree_add(a, p.targets, tree_walk<Arch>(a.nodes, a.roots[tree], x), scores);
        } else {
            for (size_t tree = 0; tree < p.trees; ++tree) {
                uint32_t at[kTreeRows];
                for (size_t k = 0; k < count; ++k) at[k] = a.roots[tree];
                for (bool moving = true; moving;) {
                    moving = false;
                    for (size_t k = 0; k < count; ++k) {
                        if (a.nodes[at[k]].feature == kTreeLeaf) continue;
                        at[k] = tree_step<Arch>(a.nodes, at[k], x + k * p.width);
                        moving = true;
                    }
                }
                for (size_t k = 0; k < count; ++k) {
                    tree_add(a, p.targets, a.nodes[at[k]].child, scores + k * p.targets);
                }
            }
        }
        for (size_t k = 0; k < count; ++k) {
            tree_finish(p, a, scores + k * p.targets, dst ? dst + (first + k) * columns : nullptr,
                        labels ? labels + first + k : nullptr);
        }
    }
    return true;
}

}  // namespace coffer::kernels
