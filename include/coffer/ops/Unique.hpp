// The distinct elements (or slices along `axis`), with the first index of each, the way back, and counts.
// https://onnx.ai/onnx/operators/onnx__Unique.html
#pragma once

#include "coffer/ops/family/index_sort.hpp"
#include "coffer/ops/family/move.hpp"

namespace coffer::ops {

struct Unique {
    static constexpr AttrSpec attrs[] = {AttrSpec::optional("axis", AttrSpec::kInt), AttrSpec::i("sorted", 1)};
    static constexpr Facts facts{.domain = "",
                                 .name = "Unique",
                                 .since = 28,
                                 .min_inputs = 1,
                                 .max_inputs = 1,
                                 .min_outputs = 1,
                                 .max_outputs = 4,
                                 .attrs = attrs,
                                 .atol = 0,
                                 .rtol = 0};

    static Status infer(InferContext& c) {
        int axis = 0;
        if (c.has_attr("axis") && !normalize_axis(c.attr_i("axis"), c.shape(0).rank(), &axis)) {
            return c.fail("axis ", c.attr_i("axis"), " is outside rank ", c.shape(0).rank());
        }
        c.set_unknown(0, c.dtype(0));
        for (size_t i = 1; i < 4; ++i) c.set_unknown(i, DType::kInt64);
        return {};
    }
    static Status reference(RunContext& c) {
        const TensorView& x = c.input(0);
        const bool flat = !c.has_attr("axis");
        int axis = 0;
        if (!flat) (void)normalize_axis(c.attr_i("axis"), x.shape.rank(), &axis);
        const int64_t n = flat ? x.elements() : x.shape[axis];
        const int64_t outer = flat ? 1 : x.shape.elements(0, axis);
        const int64_t inner = flat ? 1 : x.shape.elements(axis + 1, x.shape.rank());
        const auto compare = [&](int64_t i, int64_t j) {
            for (int64_t o = 0; o < outer && inner > 0; ++o) {  // outer dims may be huge where there are no elements
                for (int64_t k = 0; k < inner; ++k) {
                    const int r = compare_elements(x, (o * n + i) * inner + k, (o * n + j) * inner + k);
                    if (r != 0) return r;
                }
            }
            return 0;
        };
        // order: all items sorted; group: the number of each item's group; first: the first item of each group.
        COFFER_TRY_ASSIGN(std::byte* const memory, c.scratch(static_cast<size_t>(n) * 4 * sizeof(int64_t)));
        auto* order = reinterpret_cast<int64_t*>(memory);
        int64_t *group = order + n, *first = group + n, *count = first + n;
        for (int64_t i = 0; i < n; ++i) order[i] = i;
        std::sort(order, order + n, [&](int64_t i, int64_t j) {
            const int r = compare(i, j);
            return r != 0 ? r < 0 : i < j;
        });
        int64_t groups = 0;
        for (int64_t i = 0; i < n; ++i) {
            if (i == 0 || compare(order[i - 1], order[i]) != 0) {
                first[groups] = order[i];
                count[groups++] = 0;
            }
            group[order[i]] = groups - 1;
            ++count[groups - 1];
        }
        if (!c.attr_i("sorted")) {  // groups in the order of their first items
            auto* number = order;   // old number -> new number
            int64_t next = 0;
            for (int64_t i = 0; i < n; ++i) {
                if (first[group[i]] == i) number[group[i]] = next++;
            }
            for (int64_t i = 0; i < n; ++i) group[i] = number[group[i]];
            std::fill_n(count, groups, 0);
            for (int64_t i = n; i-- > 0;) {
                first[group[i]] = i;
                ++count[group[i]];
            }
        }
        Shape to = flat ? Shape{groups} : x.shape;
        to[axis] = groups;
        if (c.has_output(0)) {
            COFFER_TRY(c.allocate(0, x.dtype, to));
            for (int64_t g = 0; g < groups; ++g) {
                copy_slab({c.output(0), groups, g}, {x, n, first[g]}, outer, 1, inner);
            }
        }
        COFFER_TRY(give(c, 1, first, groups));
        COFFER_TRY(give(c, 2, group, n));
        return give(c, 3, count, groups);
    }

 private:
    static Status give(RunContext& c, size_t i, const int64_t* values, int64_t n) {
        if (!c.has_output(i)) return {};
        COFFER_TRY(c.allocate(i, DType::kInt64, Shape{n}));
        std::copy_n(values, n, c.output(i).as<int64_t>());
        return {};
    }
};

}  // namespace coffer::ops
