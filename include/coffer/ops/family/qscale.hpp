// Which scale and zero point an element has in QuantizeLinear and DequantizeLinear: one for all, one for each
// position on an axis, or one for each block along an axis.
#pragma once

#include <cmath>

#include "coffer/kernels/quantize_params.hpp"
#include "coffer/ops/family/qlinear.hpp"

#ifdef COFFER_ARCH
#include "coffer/kernels/quantize.hpp"
#else
namespace coffer::kernels {
template <class Arch>
bool quantize_f32(const void*, void* const*, size_t, size_t);
template <class Arch>
bool dequantize_f32(const void*, void* const*, size_t, size_t);
}  // namespace coffer::kernels
#endif

namespace coffer::ops {

inline constexpr TypeSet kQSmallInts = types(DType::kInt8, DType::kUint8, DType::kInt16, DType::kUint16, DType::kInt4,
                                             DType::kUint4, DType::kInt2, DType::kUint2);
inline constexpr TypeSet kQSmallFloats = kFloat8s | types(DType::kFloat4E2M1);

// Element i = (outer, position on the axis, inner) uses scale (outer, position / block, inner) in blocked form,
// scale (position) per axis, scale 0 per tensor.
struct QGranularity {
    int64_t inner = 1, dim = 1, block = 0, blocks = 1;
    bool per_tensor = true;

    int64_t at(int64_t i) const {
        if (per_tensor) return 0;
        const int64_t position = i / inner % dim;
        if (block == 0) return position;
        return (i / inner / dim * blocks + position / block) * inner + i % inner;
    }

    // The node's axis and block_size for input x and the shape of its scales.
    static Result<QGranularity> of(const NodeContext& c, const Shape& x, const Shape& scale) {
        QGranularity g;
        g.block = c.attr_i("block_size");
        if (g.block < 0) return c.fail("block_size ", g.block, " is negative");
        if (scale.elements() == 1 && g.block == 0) return g;
        int axis = 0;
        if (x.rank() == 0 || !normalize_axis(x.rank() == 1 ? 0 : c.attr_i("axis"), x.rank(), &axis)) {
            return c.fail("axis ", c.attr_i("axis"), " of an input of shape ", x);
        }
        g.per_tensor = false;
        g.dim = x[axis];
        g.inner = x.elements(axis + 1, x.rank());
        if (g.block == 0) {
            if (scale.rank() != 1 || scale[0] != g.dim) {
                return c.fail("scale ", scale, " does not match axis ", axis, " of ", x);
            }
            return g;
        }
        Shape expected = x;
        g.blocks = expected[axis] = g.dim / g.block + (g.dim % g.block != 0);
        if (!(scale == expected)) {
            return c.fail("scale ", scale, " should be ", expected, " for blocks of ", g.block, " along axis ", axis,
                          " of ", x);
        }
        return g;
    }
};

// One scale for all is a scalar or a tensor of one element, and its zero point may be the other.
inline Status q_check_zero_shape(const InferContext& c) {
    if (!c.has_input(2) || (c.shape(2).elements() == 1 && c.shape(1).elements() == 1)) return {};
    if (!(c.shape(2) == c.shape(1))) {
        return c.fail("zero point ", c.shape(2), " and scale ", c.shape(1), " differ in shape");
    }
    return {};
}
// A data type given as an attribute; kUndefined when the attribute is 0.
inline Result<DType> q_dtype_attr(const NodeContext& c, const char* name, TypeSet allowed) {
    const int64_t value = c.attr_i(name);
    if (value == 0) return DType::kUndefined;
    if (value < 0 || value >= kDTypeCount || !contains(allowed, static_cast<DType>(value))) {
        return c.fail("attribute '", name, "' = ", value);
    }
    return static_cast<DType>(value);
}

// Fast when the 8-bit side is u8 or s8, the other float32, scales and zero points constant, one for all or long
// runs of one. `bytes` is the type of the 8-bit side.
inline bool q_scale_accepts(const PlanContext& c, DType floats, DType bytes) {
    if (floats != DType::kFloat || !contains(kQBytes, bytes) || c.input(1).dtype != DType::kFloat) return false;
    if (!c.constant(1) || (c.has_input(2) && !c.constant(2))) return false;
    const auto g = QGranularity::of(c, c.input(0).shape, c.input(1).shape);
    if (!g.ok() || g->block != 0 || c.output(0).shape.elements() == 0) return false;
    return g->per_tensor || (g->inner >= 16 && c.input_layout(0) == Layout::kPlain);
}
inline Status q_scale_plan(PlanContext& c, bool is_signed) {
    COFFER_TRY_ASSIGN(const QGranularity g, QGranularity::of(c, c.input(0).shape, c.input(1).shape));
    const auto count = static_cast<size_t>(c.output(0).shape.elements());
    const auto axis = static_cast<size_t>(g.per_tensor ? 1 : g.dim);
    auto* scales = static_cast<float*>(c.allocate_params(axis * sizeof(float), alignof(float)));
    auto* zeros = static_cast<int32_t*>(c.allocate_params(axis * sizeof(int32_t), alignof(int32_t)));
    for (size_t i = 0; i < axis; ++i) {
        const auto at = static_cast<int64_t>(i);
        scales[i] = static_cast<float>(load_double(*c.constant(1), at));
        zeros[i] = c.has_input(2) ? static_cast<int32_t>(load_int(*c.constant(2), at)) : 0;
    }
    const size_t inner = g.per_tensor ? count : static_cast<size_t>(g.inner);
    const kernels::QuantizeParams p{count / inner, inner, axis, scales, zeros, is_signed, false};
    const Operand operands[] = {Operand::input(0), Operand::output(0)};
    c.step(c.kernel(0), c.params(p), operands, (count + kernels::kQuantizeBlock - 1) / kernels::kQuantizeBlock, 4000);
    return {};
}

}  // namespace coffer::ops
