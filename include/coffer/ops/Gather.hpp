// Takes slices along an axis by index, as NumPy take. https://onnx.ai/onnx/operators/onnx__Gather.html
#pragma once

#include "coffer/ops/family/index.hpp"

#ifdef COFFER_ARCH
#include "coffer/kernels/gather.hpp"
#else
namespace coffer::kernels {
template <class Arch>
bool gather_rows(const void*, void* const*, size_t, size_t);
}  // namespace coffer::kernels
#endif
#include "coffer/kernels/gather_params.hpp"

namespace coffer::ops {

struct Gather : MoveOp<Gather> {
    static constexpr AttrSpec attrs[] = {AttrSpec::i("axis", 0)};
    static constexpr Facts facts{.domain = "",
                                 .name = "Gather",
                                 .since = 13,
                                 .min_inputs = 2,
                                 .max_inputs = 2,
                                 .min_outputs = 1,
                                 .max_outputs = 1,
                                 .attrs = attrs,
                                 .atol = 0,
                                 .rtol = 0};

    static Status move(MoveContext& m) {
        const Shape &data = m.shape(0), &places = m.shape(1);
        COFFER_TRY(check_index_type(m, 1));
        COFFER_TRY_ASSIGN(const int axis, m.axis(m.node().attr_i("axis"), data.rank()));
        if (data.rank() + places.rank() - 1 > kMaxRank)
            return m.fail("rank of ", data, " by ", places, " is over ", kMaxRank);
        Shape to;
        for (int i = 0; i < axis; ++i) to.push_back(data[i]);
        for (int64_t d : places.dims()) to.push_back(d);
        for (int i = axis + 1; i < data.rank(); ++i) to.push_back(data[i]);
        COFFER_TRY(m.output(0, m.dtype(0), to));
        if (!m.running() || to.elements() == 0) return {};
        const int64_t outer = data.elements(0, axis), inner = data.elements(axis + 1, data.rank());
        const int64_t count = places.elements();
        for (int64_t k = 0; k < count; ++k) {
            COFFER_TRY_ASSIGN(const int64_t at, index_at(m.node(), *m.value(1), k, data[axis]));
            for (int64_t o = 0; o < outer; ++o) {
                copy_elements(m.result(0), (o * count + k) * inner, 1, *m.value(0), (o * data[axis] + at) * inner, 1,
                              inner);
            }
        }
        return {};
    }

    static bool accepts(const PlanContext& c) {
        return dtype_bits(c.input(0).dtype) >= 8 && c.input(0).shape.elements() > 0 &&
               c.input(1).shape.elements() > 0;
    }
    static Status plan(PlanContext& c) {
        const Shape& data = c.input(0).shape;
        int axis = 0;
        if (!normalize_axis(c.attr_i("axis"), data.rank(), &axis)) return c.fail("axis");
        kernels::GatherRowsParams p{};
        p.dim = data[axis];
        p.count = c.input(1).shape.elements();
        p.rows = data.elements(0, axis) * p.count;
        p.row_bytes = data.elements(axis + 1, data.rank()) * dtype_bits(c.input(0).dtype) / 8;
        p.wide_indices = c.input(1).dtype == DType::kInt64;
        p.group = std::max<int64_t>(1, 32768 / (p.row_bytes + 8));
        const Operand operands[] = {Operand::input(0), Operand::input(1), Operand::output(0)};
        c.step(c.kernel(0), c.params(p), operands, static_cast<size_t>((p.rows + p.group - 1) / p.group), 5000);
        return {};
    }
    static constexpr Variant variants[] = {{"gather_rows", &accepts, &plan}};
    template <class Arch>
    static constexpr kernels::KernelFn kernels[] = {&kernels::gather_rows<Arch>};
};

}  // namespace coffer::ops
