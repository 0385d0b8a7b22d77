// NumPy broadcasting for element-wise ops of several operands: shape inference, the offsets a reference reads
// from, and the plan of the kernels of kernels/broadcast.hpp.
#pragma once

#include "coffer/kernels/broadcast_params.hpp"
#include "coffer/ops/family/types.hpp"
#ifdef COFFER_ARCH
#include "coffer/kernels/broadcast.hpp"
#endif

namespace coffer::ops {

// The common shape of inputs [0, count).
inline Status infer_broadcast(const InferContext& c, size_t count, Shape* out) {
    Shape shape = c.shape(0);
    for (size_t i = 1; i < count; ++i) {
        const Shape before = shape;
        if (!broadcast(before, c.shape(i), &shape)) {
            return c.fail("shapes do not broadcast (", before, ", ", c.shape(i), ")");
        }
    }
    int64_t elements = 0;
    if (!shape.checked_elements(&elements)) return c.fail("result of shape ", shape, " is too large");
    *out = shape;
    return {};
}

// Which element of `src` goes into element i of the result.
class BroadcastOffset {
 public:
    BroadcastOffset(const Shape& src, const Shape& out) : src_(src), out_(out), elements_(src.elements()) {}

    int64_t operator()(int64_t i) const {
        if (elements_ == 1) return 0;
        if (src_ == out_) return i;
        int64_t offset = 0, stride = 1;
        for (int s = src_.rank() - 1, o = out_.rank() - 1; s >= 0; --s, --o) {
            if (src_[s] != 1) offset += i % out_[o] * stride;
            i /= out_[o];
            stride *= src_[s];
        }
        return offset;
    }

 private:
    const Shape &src_, &out_;
    int64_t elements_;
};

// Axes of the result next to each other on which the same operands vary become one loop. `dims` are in memory
// order; those of lower rank get leading ones.
inline kernels::BroadcastParams broadcast_params(const Shape& out, std::span<const Shape> dims) {
    kernels::BroadcastParams p;
    p.inputs = static_cast<int>(dims.size());
    size_t sizes[kMaxRank];
    unsigned varies[kMaxRank];
    int groups = 0;
    for (int axis = out.rank() - 1; axis >= 0; --axis) {
        if (out[axis] == 1) continue;
        unsigned mask = 0;
        for (size_t k = 0; k < dims.size(); ++k) {
            const int a = axis - (out.rank() - dims[k].rank());
            if (a >= 0 && dims[k][a] != 1) mask |= 1u << k;
        }
        const auto size = static_cast<size_t>(out[axis]);
        if (groups > 0 && varies[groups - 1] == mask) {
            sizes[groups - 1] *= size;
        } else {
            sizes[groups] = size;
            varies[groups++] = mask;
        }
    }
    if (groups > 0) p.inner = sizes[0];
    p.rank = groups > 0 ? groups - 1 : 0;
    for (int g = 1; g < groups; ++g) p.rows *= p.dims[g - 1] = sizes[g];
    for (size_t k = 0; k < dims.size(); ++k) {
        size_t stride = 1;
        p.dense[k] = true;
        for (int g = 0; g < groups; ++g) {
            const bool here = varies[g] >> k & 1;
            (g == 0 ? p.step[k] : p.stride[k][g - 1]) = here ? stride : 0;
            if (here) stride *= sizes[g];
            p.dense[k] = p.dense[k] && here;
        }
    }
    return p;
}

// One step of kernel `slot` for `operands` (inputs, then the output) with these dims and element types.
inline void plan_broadcast(PlanContext& c, size_t slot, std::span<const Operand> operands, const Shape& out,
                           std::span<const Shape> dims, std::span<const DType> types, double element_ns) {
    if (out.elements() == 0) return;
    kernels::BroadcastParams p = broadcast_params(out, dims);
    for (size_t k = 0; k < dims.size(); ++k) p.bytes[k] = static_cast<size_t>(dtype_bits(types[k])) / 8;
    p.out_bytes = static_cast<size_t>(dtype_bits(types[dims.size()])) / 8;
    const auto elements = static_cast<double>(out.elements());
    c.step(c.kernel(slot), c.params(p), operands, p.units(), element_ns * elements / static_cast<double>(p.units()));
}

// The same for inputs 0, 1, ... and output 0 of the node.
template <size_t kInputs>
void plan_broadcast(PlanContext& c, size_t slot, double element_ns) {
    Operand operands[kInputs + 1];
    Shape dims[kInputs];
    DType types[kInputs + 1];
    for (size_t i = 0; i < kInputs; ++i) {
        operands[i] = Operand::input(i);
        dims[i] = c.input_dims(i);
        types[i] = c.input(i).dtype;
    }
    operands[kInputs] = Operand::output(0);
    types[kInputs] = c.output(0).dtype;
    plan_broadcast(c, slot, operands, c.output_dims(0), dims, types, element_ns);
}

}  // namespace coffer::ops
