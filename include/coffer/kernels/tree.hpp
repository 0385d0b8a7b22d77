// Forests on float32 rows. Nodes are 12 bytes, the two children of a node next to each other, so that a step
// is one comparison added to an index; several rows walk a tree together to hide the latency of the loads.
// Sums are double, in the order of the trees: equal to the reference bit for bit.
#pragma once

#include "coffer/kernels/arch.hpp"

namespace coffer::kernels {

struct FastTreeNode {
    float split;       // goes to `child` when x <= split, else to child + 1
    uint32_t feature;  // with kTreeNanFirst, NaN goes to `child` as well; kTreeLeaf for a leaf
    uint32_t child;    // of a leaf: index into TreeParams::leaf
};
inline constexpr uint32_t kTreeLeaf = 0xffffffffu, kTreeNanFirst = 0x80000000u;

struct FastTreeWeight {
    uint32_t target;
    float weight;
};

struct TreeParams {
    const FastTreeNode* nodes;
    const uint32_t* roots;
    const uint32_t* leaf;  // weights [leaf[i], leaf[i + 1])
    const FastTreeWeight* weights;
    const double* base;  // one a target, or null
    size_t trees, rows, width, targets;
    bool average;
    uint8_t transform;  // 0 none, 1 softmax, 2 logistic
    // Two classes, one score (see TreeVote): columns[0..1] follow from scores[single].
    bool binary;
    uint8_t second;  // 1: 1 - s, s; 2: -s, s
    size_t single;
    double threshold;
    const int64_t* labels;
};

inline constexpr size_t kTreeRows = 8;  // rows in a unit

// Operands: X, labels (int64) or null, scores (float32) or null, workspace of kTreeRows * targets doubles a unit.
template <class Arch>
bool tree_rows(const void* params, void* const* operands, size_t begin, size_t end);

}  // namespace coffer::kernels

#ifdef COFFER_ARCH
#include "coffer/kernels/tree_simd.hpp"
#endif
