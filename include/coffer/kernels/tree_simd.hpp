// Bodies of tree.hpp. Only arch.cpp includes this file.
#pragma once

#include <math.h>

#include "coffer/kernels/simd.hpp"
#include "coffer/kernels/tree.hpp"

namespace coffer::kernels {

// One step of a walk; a leaf stays where it is.
template <class Arch>
inline uint32_t tree_step(const FastTreeNode* nodes, uint32_t at, const float* x) {
    const FastTreeNode& n = nodes[at];
    const float value = x[n.feature & ~kTreeNanFirst];
    const bool first = value <= n.split || ((n.feature & kTreeNanFirst) != 0 && value != value);
    return n.child + (first ? 0 : 1);
}

template <class Arch>
inline uint32_t tree_walk(const FastTreeNode* nodes, uint32_t at, const float* x) {
    while (nodes[at].feature != kTreeLeaf) at = tree_step<Arch>(nodes, at, x);
    return nodes[at].child;
}

template <class Arch>
inline void tree_add(const TreeParams& p, uint32_t leaf, double* scores) {
    for (uint32_t i = p.leaf[leaf]; i < p.leaf[leaf + 1]; ++i) {
        scores[p.weights[i].target] += static_cast<double>(p.weights[i].weight);
    }
}

template <class Arch>
double tree_logistic(double x) {
    const double v = 1 / (1 + exp(-fabs(x)));
    return x < 0 ? 1 - v : v;
}

// Scores of one row to its label and columns, as ops::ml::store_scores does.
template <class Arch>
void tree_finish(const TreeParams& p, double* scores, int64_t* label, float* dst) {
    if (p.average) {
        for (size_t i = 0; i < p.targets; ++i) scores[i] /= static_cast<double>(p.trees);
    }
    for (size_t i = 0; p.base && i < p.targets; ++i) scores[i] += p.base[i];
    if (p.binary) {
        const double s = scores[p.single];
        if (label) *label = p.labels[s > p.threshold ? 1 : 0];
        if (!dst) return;
        const bool logistic = p.second == 2 && p.transform == 2;
        dst[0] = static_cast<float>(logistic ? tree_logistic<Arch>(-s) : p.second == 1 ? 1 - s : -s);
        dst[1] = static_cast<float>(logistic ? tree_logistic<Arch>(s) : s);
        return;
    }
    size_t best = 0;
    for (size_t i = 1; i < p.targets; ++i) {
        if (scores[i] > scores[best]) best = i;
    }
    if (label) *label = p.labels[best];
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
    auto* labels = static_cast<int64_t*>(operands[1]);
    auto* dst = static_cast<float*>(operands[2]);
    for (size_t unit = begin; unit < end; ++unit) {
        const size_t first = unit * kTreeRows, count = p.rows - first < kTreeRows ? p.rows - first : kTreeRows;
        const float* x = static_cast<const float*>(operands[0]) + first * p.width;
        double* scores = static_cast<double*>(operands[3]) + first * p.targets;
        for (size_t i = 0; i < count * p.targets; ++i) scores[i] = 0;
        if (count == 1) {
            // One row: four trees at a time, added in their order.
            size_t tree = 0;
            for (; tree + 4 <= p.trees; tree += 4) {
                uint32_t at[4];
                for (size_t k = 0; k < 4; ++k) at[k] = p.roots[tree + k];
                for (bool moving = true; moving;) {
                    moving = false;
                    for (size_t k = 0; k < 4; ++k) {
                        if (p.nodes[at[k]].feature == kTreeLeaf) continue;
                        at[k] = tree_step<Arch>(p.nodes, at[k], x);
                        moving = true;
                    }
                }
                for (size_t k = 0; k < 4; ++k) tree_add<Arch>(p, p.nodes[at[k]].child, scores);
            }
            for (; tree < p.trees; ++tree) tree_add<Arch>(p, tree_walk<Arch>(p.nodes, p.roots[tree], x), scores);
        } else {
            for (size_t tree = 0; tree < p.trees; ++tree) {
                uint32_t at[kTreeRows];
                for (size_t k = 0; k < count; ++k) at[k] = p.roots[tree];
                for (bool moving = true; moving;) {
                    moving = false;
                    for (size_t k = 0; k < count; ++k) {
                        if (p.nodes[at[k]].feature == kTreeLeaf) continue;
                        at[k] = tree_step<Arch>(p.nodes, at[k], x + k * p.width);
                        moving = true;
                    }
                }
                for (size_t k = 0; k < count; ++k) {
                    tree_add<Arch>(p, p.nodes[at[k]].child, scores + k * p.targets);
                }
            }
        }
        for (size_t k = 0; k < count; ++k) {
            tree_finish<Arch>(p, scores + k * p.targets, labels ? labels + first + k : nullptr,
                              dst ? dst + (first + k) * p.targets : nullptr);
        }
    }
    return true;
}

}  // namespace coffer::kernels
