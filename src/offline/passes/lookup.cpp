// A product of one-hot rows with constant weights reads rows of the weights: MatMul(Cast(Equal(ids, 0 .. N-1)), w)
// becomes Gather. An id outside 0 .. N-1 matches nothing and so gives zeros.
#include <algorithm>
#include <cmath>

#include "offline/passes/editor.hpp"
#include "offline/passes/list.hpp"
#include "offline/shapes.hpp"

namespace coffer::offline::passes {
namespace {

// 0, 1, ... along the last axis, as one row.
template <class T>
bool counts_up(const Tensor& t) {
    const auto values = t.span<const T>();
    for (size_t i = 0; i < values.size(); ++i) {
        if (values[i] != static_cast<T>(i)) return false;
    }
    return !values.empty() && t.shape().rank() > 0 && t.shape().back() == t.elements();
}
bool counts_up(const Tensor* t, DType ids) {
    if (!t || t->dtype() != ids) return false;
    return ids == DType::kInt32 ? counts_up<int32_t>(*t) : ids == DType::kInt64 && counts_up<int64_t>(*t);
}

// The ids, of shape (..., 1), when `rows` is their one-hot form of shape (..., classes).
ValueId one_hot_ids(const Editor& e, ValueId rows, int64_t classes, const SampledTypes& types) {
    const graph::Node* cast = e.producer(rows, "Cast");
    const graph::Node* equal = cast ? e.producer(cast->inputs[0], "Equal") : nullptr;
    if (!equal) return graph::kAbsent;
    for (size_t side = 0; side < 2; ++side) {
        ValueId ids = equal->inputs[side];
        const Tensor* numbers = e.constant(equal->inputs[1 - side]);
        if (!counts_up(numbers, types.dtype(ids)) || numbers->elements() != classes) continue;
        if (const graph::Node* expand = e.producer(ids, "Expand")) ids = expand->inputs[0];
        const int last = types.rank(rows) - 1;
        const bool fits = last >= 0 && types.rank(ids) == last + 1 && types.dim(ids, last) == 1;
        if (fits && types.dim(rows, last) == classes && types.same_dims(ids, rows, last)) return ids;
    }
    return graph::kAbsent;
}

// The rows of w between two rows of zeros.
Result<Tensor> with_zero_rows(const Tensor& w) {
    const int64_t width = w.shape()[1];
    COFFER_TRY_ASSIGN(Tensor table, Tensor::create(DType::kFloat, Shape{w.shape()[0] + 2, width}));
    const auto all = table.span<float>();
    std::ranges::fill(all, 0.0f);
    std::ranges::copy(w.span<const float>(), all.begin() + width);
    return table;
}

Tensor number(DType type, int64_t value) {
    return type == DType::kInt32 ? Tensor::scalar(static_cast<int32_t>(value)) : Tensor::scalar(value);
}

}  // namespace

Result<size_t> recognise_lookups(graph::Model& model) {
    const auto candidate = [&](const graph::Node& node) {
        return node.op == "MatMul" && model.constant(model.graphs[0], node.inputs[1]);
    };
    if (std::ranges::none_of(model.graphs[0].nodes, candidate)) return size_t{0};
    const SampledTypes types(model);
    if (!types.valid()) return size_t{0};
    Editor e(model, 0);
    std::vector<graph::Node> nodes;
    size_t count = 0;
    for (graph::Node& node : e.nodes()) {
        const Tensor* w = node.op == "MatMul" ? e.constant(node.inputs[1]) : nullptr;
        const bool plain = w && w->dtype() == DType::kFloat && w->shape().rank() == 2 &&
                           std::ranges::all_of(w->span<const float>(), [](float v) { return std::isfinite(v); });
        const int64_t classes = plain ? w->shape()[0] : 0;
        const ValueId ids = plain ? one_hot_ids(e, node.inputs[0], classes, types) : graph::kAbsent;
        if (ids == graph::kAbsent) {
            nodes.push_back(node);
            continue;
        }
        const DType type = types.dtype(ids);
        const std::string name = e.graph().values[node.outputs[0]].name;
        COFFER_TRY_ASSIGN(Tensor table, with_zero_rows(*w));
        const auto constant = [&](const char* what, Tensor t) { return e.add_constant(name + what, std::move(t)); };
        const auto value = [&](const char* what) {
            graph::Type unshaped;
            unshaped.dtype = type;
            return e.graph().add_value(name + what, unshaped);
        };
        const ValueId flat = value(".flat"), near = value(".near"), rows = value(".rows");
        const ValueId low = constant(".low", number(type, -1)), one = constant(".one", number(type, 1));
        const ValueId high = constant(".high", number(type, classes));
        COFFER_TRY_ASSIGN(Tensor last, Tensor::create(DType::kInt64, Shape{1}));
        last.span<int64_t>()[0] = -1;
        const ValueId axes = constant(".axes", std::move(last));
        nodes.push_back({"Squeeze", name + ".flat", {ids, axes}, {flat}, {}});
        nodes.push_back({"Clip", name + ".near", {flat, low, high}, {near}, {}});
        nodes.push_back({"Add", name + ".rows", {near, one}, {rows}, {}});
        nodes.push_back({"Gather",
                         node.name,
                         {constant(".table", std::move(table)), rows},
                         {node.outputs[0]},
                         {{"axis", int64_t{0}}}});
        ++count;
    }
    if (count == 0) return size_t{0};
    e.nodes() = std::move(nodes);
    e.refresh();
    e.sweep();
    return count;
}

}  // namespace coffer::offline::passes
