// Physical layouts: plain (row-major logical order) and channels-last. Which choices to try for a node, in
// order, and small helpers. The choice is one linear pass at plan time; files hold logical shapes only.
#pragma once

#include <vector>

#include "coffer/ops/op.hpp"

namespace coffer::runtime {

// Are the bytes the same either way? True below rank 3, with one channel or one position.
bool same_in_both_layouts(const Shape& shape);
// The Transpose node that changes a tensor of `rank` to layout `to`.
graph::Node layout_node(int rank, ops::Layout to);
// A copy of a tensor in channels-last order.
Result<Tensor> to_channels_last(const Tensor& tensor);

// Is this Transpose (N, spatial..., C) -> (N, C, spatial...), that is, from channels-last memory to plain?
bool is_from_channels_last(const graph::Node& transpose, int rank);
// Is it (N, C, spatial...) -> (N, spatial..., C)?
bool is_to_channels_last(const graph::Node& transpose, int rank);

struct LayoutChoice {
    std::vector<ops::Layout> inputs, outputs;
    std::vector<Shape> shapes;  // of the inputs; padded with leading ones for channels-last operands
};

// Choices in the order to try them; the last is plain everywhere. `only_last` says of each input that it
// exists channels-last only; `constant` that it can be converted beforehand.
std::vector<LayoutChoice> layout_choices(const ops::Facts& facts, const std::vector<ops::Type>& in,
                                         const std::vector<ops::Type>& out, const std::vector<bool>& only_last,
                                         const std::vector<bool>& constant);

}  // namespace coffer::runtime
