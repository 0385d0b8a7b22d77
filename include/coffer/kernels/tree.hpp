// Forests on float32 rows, as ai.coffer::Forest brings them. Nodes are 12 bytes, the two children of a node next to
// each other, so that a step is one comparison added to an index; several rows walk a tree together to hide the
// latency of the loads. Sums are double, in the order of the trees: equal to the reference bit for bit.
#pragma once

#include "coffer/kernels/arch.hpp"

namespace coffer::kernels {

struct TreeNode {
    float split;       // goes to `child` when x <= split, else to child + 1
    uint32_t feature;  // its number plus one; with kTreeNanFirst, NaN goes to `child` as well; kTreeLeaf for a leaf
    uint32_t child;    // of a leaf: its number
};
// Weights may be wiped while a run that will fail reads them: zeros are leaves, so that it ends.
inline constexpr uint32_t kTreeLeaf = 0, kTreeNanFirst = 0x80000000u;

// How the only score of two classes is read.
enum class TwoClasses : uint8_t {
    kNone,         // there are not: a column and a score for each target
    kProbability,  // columns 1 - s, s; the second is better over 0.5
    kMargin,       // columns -s, s; the second is better over 0
};

struct TreeParams {
    size_t trees, rows, width, targets;
    bool average;
    uint8_t transform;  // 0 none, 1 softmax, 2 logistic
    TwoClasses two_classes;
};

inline constexpr size_t kTreeRows = 8;  // rows in a unit

// Operands:
//   0 X             float32
//   1 nodes         TreeNode
//   2 roots         uint32, one a tree
//   3 leaf_weights  float32: `targets` of each leaf, or those in [offset i, offset i + 1) when there are offsets
//   4 leaf_targets  uint32, what each weight is for; null without offsets
//   5 leaf_offsets  uint32, one more than leaves, or null
//   6 base          float64, one a target, or null
//   7 labels        int64, one a column; not read without output 9
//   8 scores        float32 or null
//   9 label         int64 or null
//  10 workspace of rows * targets doubles
template <class Arch>
bool tree_rows(const void* params, void* const* operands, size_t begin, size_t end);

}  // namespace coffer::kernels

#ifdef COFFER_ARCH
#include "coffer/kernels/tree_simd.hpp"
#endif
