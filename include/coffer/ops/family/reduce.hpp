// Reductions over a set of axes, which come as an input. An op gives facts and
// `static constexpr Reduction kind`; the rest is here.
#pragma once

#include <cmath>
#include <limits>

#include "coffer/kernels/reduce_params.hpp"
#include "coffer/ops/family/types.hpp"
#ifdef COFFER_ARCH
#include "coffer/kernels/reduce.hpp"
#endif

namespace coffer::ops {

enum class Reduction : uint8_t { kSum, kMean, kMax, kMin, kProd, kL1, kL2, kLogSum, kLogSumExp, kSumSquare };

inline constexpr AttrSpec kReduceAttrs[] = {AttrSpec::i("keepdims", 1), AttrSpec::i("noop_with_empty_axes", 0)};

constexpr Facts reduce_facts(const char* name, int since) {
    return {.domain = "",
            .name = name,
            .since = since,
            .min_inputs = 1,
            .max_inputs = 2,
            .min_outputs = 1,
            .max_outputs = 1,
            .attrs = kReduceAttrs,
            .layout = LayoutRule::kAxis};
}

// Bit a of the mask: axis a is reduced.
inline Status axes_list_mask(const NodeContext& c, std::span<const int64_t> axes, int rank, uint32_t* mask) {
    *mask = 0;
    for (int64_t axis : axes) {
        int a = 0;
        if (!normalize_axis(axis, rank, &a)) return c.fail("axis ", axis, " is outside a rank of ", rank);
        if (*mask >> a & 1) return c.fail("axis ", axis, " is listed twice");
        *mask |= 1u << a;
    }
    return {};
}

// Axes from the optional second input. None means all of them, or none with noop_with_empty_axes.
inline Status axes_mask(const NodeContext& c, const TensorView* axes, int rank, uint32_t* mask) {
    int64_t list[kMaxRank];
    const int64_t n = axes ? axes->elements() : 0;
    if (n > rank) return c.fail(n, " axes of a rank of ", rank);
    for (int64_t i = 0; i < n; ++i) list[i] = load_int(*axes, i);
    if (n > 0) return axes_list_mask(c, {list, static_cast<size_t>(n)}, rank, mask);
    *mask = c.attr_i("noop_with_empty_axes") == 0 ? (1u << rank) - 1 : 0;
    return {};
}

inline Shape reduced_shape(const Shape& shape, uint32_t mask, bool keepdims) {
    Shape out;
    for (int a = 0; a < shape.rank(); ++a) {
        if (!(mask >> a & 1)) {
            out.push_back(shape[a]);
        } else if (keepdims) {
            out.push_back(1);
        }
    }
    return out;
}

// The axes of one kind, reduced or kept, and where their i-th combination lies in the input.
class AxisSubset {
 public:
    // Of an input without elements the products may be beyond 64 bits: they wrap, and nobody asks for them.
    AxisSubset(const Shape& shape, uint32_t mask, bool reduced) {
        uint64_t stride = 1, count = 1;
        for (int a = shape.rank() - 1; a >= 0; --a) {
            if ((mask >> a & 1) == (reduced ? 1u : 0u)) {
                dims_[rank_] = shape[a];
                strides_[rank_++] = static_cast<int64_t>(stride);
                count *= static_cast<uint64_t>(shape[a]);
            }
            stride *= static_cast<uint64_t>(shape[a]);
        }
        count_ = static_cast<int64_t>(count);
    }
    int64_t count() const { return count_; }
    int64_t offset(int64_t i) const {
        int64_t offset = 0;
        for (int d = 0; d < rank_; ++d) {
            offset += i % dims_[d] * strides_[d];
            i /= dims_[d];
        }
        return offset;
    }

 private:
    int rank_ = 0;
    int64_t dims_[kMaxRank], strides_[kMaxRank], count_ = 1;
};

inline double reduce_doubles(Reduction kind, const TensorView& src, int64_t base, const AxisSubset& over) {
    const int64_t n = over.count();
    constexpr double inf = std::numeric_limits<double>::infinity();
    double acc = kind == Reduction::kMax ? -inf : kind == Reduction::kMin ? inf : kind == Reduction::kProd ? 1 : 0;
    double largest = -inf;
    if (kind == Reduction::kLogSumExp) {
        for (int64_t i = 0; i < n; ++i) largest = std::fmax(largest, load_double(src, base + over.offset(i)));
        if (std::isinf(largest)) return n == 0 ? -inf : largest;
    }
    for (int64_t i = 0; i < n; ++i) {
        const double x = load_double(src, base + over.offset(i));
        switch (kind) {
            case Reduction::kSum:
            case Reduction::kMean:
            case Reduction::kLogSum: acc += x; break;
            case Reduction::kMax: acc = x > acc || x != x ? x : acc; break;
            case Reduction::kMin: acc = x < acc || x != x ? x : acc; break;
            case Reduction::kProd: acc *= x; break;
            case Reduction::kL1: acc += std::fabs(x); break;
            case Reduction::kL2:
            case Reduction::kSumSquare: acc += x * x; break;
            case Reduction::kLogSumExp: acc += std::exp(x - largest); break;
        }
    }
    switch (kind) {
        case Reduction::kMean: return acc / static_cast<double>(n);
        case Reduction::kL2: return std::sqrt(acc);
        case Reduction::kLogSum: return std::log(acc);
        case Reduction::kLogSumExp: return std::log(acc) + largest;
        default: return acc;
    }
}

// The least and greatest value of an integer type or bool, as load_int() gives them.
inline int64_t integer_limit(DType t, bool greatest) {
    if (t == DType::kBool) return greatest;
    if (t == DType::kUint64) return greatest ? -1 : 0;
    const int bits = dtype_bits(t) - (is_signed_integer(t) ? 1 : 0);
    const auto top = static_cast<int64_t>(bits == 63 ? ~uint64_t{0} >> 1 : (uint64_t{1} << bits) - 1);
    return greatest ? top : is_signed_integer(t) ? -top - 1 : 0;
}

// Sums and products wrap; a mean truncates.
inline int64_t reduce_integers(Reduction kind, const TensorView& src, int64_t base, const AxisSubset& over) {
    const int64_t n = over.count();
    const bool is_unsigned = src.dtype == DType::kUint64;
    uint64_t acc = kind == Reduction::kProd ? 1 : 0;
    int64_t best = integer_limit(src.dtype, kind == Reduction::kMin);
    double squares = 0;
    for (int64_t i = 0; i < n; ++i) {
        const int64_t x = load_int(src, base + over.offset(i));
        const auto u = static_cast<uint64_t>(x);
        const bool less = is_unsigned ? u < static_cast<uint64_t>(best) : x < best;
        switch (kind) {
            case Reduction::kMax: best = less ? best : x; break;
            case Reduction::kMin: best = less ? x : best; break;
            case Reduction::kProd: acc *= u; break;
            case Reduction::kL1: acc += !is_unsigned && x < 0 ? 0 - u : u; break;
            case Reduction::kSumSquare: acc += u * u; break;
            case Reduction::kL2: {
                const double d = load_double(src, base + over.offset(i));
                squares += d * d;
                break;
            }
            default: acc += u; break;
        }
    }
    switch (kind) {
        case Reduction::kMax:
        case Reduction::kMin: return best;
        case Reduction::kL2: return static_cast<int64_t>(std::fmin(std::sqrt(squares), 0x1p62));
        case Reduction::kMean:
            if (n == 0) return 0;
            if (is_unsigned) return static_cast<int64_t>(acc / static_cast<uint64_t>(n));
            return static_cast<int64_t>(acc) / n;
        default: return static_cast<int64_t>(acc);
    }
}

inline Status infer_reduce(InferContext& c, TypeSet allowed) {
    COFFER_TRY(expect_type(c, 0, allowed));
    if (c.has_input(1) && c.dtype(1) != DType::kInt64) return c.fail("axes are of type ", c.dtype(1));
    if (c.has_input(1) && !c.known(1)) {
        c.set_unknown(0, c.dtype(0));
        return {};
    }
    uint32_t mask = 0;
    COFFER_TRY(axes_mask(c, c.has_input(1) ? c.known(1) : nullptr, c.shape(0).rank(), &mask));
    c.set(0, c.dtype(0), reduced_shape(c.shape(0), mask, c.attr_i("keepdims") != 0));
    return {};
}

inline Status reduce_reference(RunContext& c, Reduction kind) {
    const TensorView& src = c.input(0);
    uint32_t mask = 0;
    COFFER_TRY(axes_mask(c, c.has_input(1) ? &c.input(1) : nullptr, src.shape.rank(), &mask));
    if (c.output(0).data == nullptr) {
        COFFER_TRY(c.allocate(0, src.dtype, reduced_shape(src.shape, mask, c.attr_i("keepdims") != 0)));
    }
    const TensorView& dst = c.output(0);
    const AxisSubset kept(src.shape, mask, false), over(src.shape, mask, true);
    for (int64_t i = 0; i < dst.elements(); ++i) {
        if (is_floating(src.dtype)) {
            store_double(dst, i, reduce_doubles(kind, src, kept.offset(i), over));
        } else {
            store_int(dst, i, reduce_integers(kind, src, kept.offset(i), over));
        }
    }
    return {};
}

// The plan of a float32 reduction; false when the result would not lie in the order of the kept axes.
inline bool reduce_params(const PlanContext& c, uint32_t logical_mask, kernels::ReduceParams* out) {
    const Shape dims = c.input_dims(0);
    const int rank = dims.rank();
    uint32_t mask = logical_mask;
    if (c.input_layout(0) == Layout::kChannelsLast) {
        // Memory order is N, spatial..., C.
        mask = (logical_mask & 1) | (logical_mask >> 2) << 1 | (logical_mask >> 1 & 1) << (rank - 1);
        // A plain result has C before the spatial axes, so only one of the two may be larger than 1.
        const bool channels = !(logical_mask >> 1 & 1) && dims[rank - 1] != 1;
        bool spatial = false;
        for (int a = 1; a < rank - 1; ++a) spatial |= !(mask >> a & 1) && dims[a] != 1;
        if (c.output_layout(0) == Layout::kPlain && channels && spatial) return false;
    } else if (c.output_layout(0) != Layout::kPlain) {
        return false;
    }
    kernels::ReduceParams p;
    size_t stride = 1;
    bool last_reduced = false, any = false;
    for (int a = rank - 1; a >= 0; --a) {
        const auto size = static_cast<size_t>(dims[a]);
        if (size == 1) continue;
        const bool reduced = mask >> a & 1;
        if (!any) {
            p.inner = size;
            p.inner_reduced = reduced;
        } else if (reduced == last_reduced && p.kept_rank + p.reduced_rank == 0) {
            p.inner *= size;
        } else if (reduced) {
            p.reduced_dims[p.reduced_rank] = size;
            p.reduced_strides[p.reduced_rank++] = stride;
        } else {
            p.kept_dims[p.kept_rank] = size;
            p.kept_strides[p.kept_rank++] = stride;
        }
        any = true;
        last_reduced = reduced;
        stride *= size;
    }
    for (int d = 0; d < p.kept_rank; ++d) p.kept *= p.kept_dims[d];
    for (int d = 0; d < p.reduced_rank; ++d) p.reduced *= p.reduced_dims[d];
    *out = p;
    return true;
}

inline bool accepts_reduce(const PlanContext& c) {
    if (c.input(0).dtype != DType::kFloat || (c.has_input(1) && !c.constant(1))) return false;
    if (c.input(0).shape.elements() == 0) return false;  // the reference knows what an empty set gives
    uint32_t mask = 0;
    kernels::ReduceParams p;
    return axes_mask(c, c.has_input(1) ? c.constant(1) : nullptr, c.input(0).shape.rank(), &mask).ok() &&
           reduce_params(c, mask, &p);
}
inline Status plan_reduce(PlanContext& c, Reduction kind) {
    uint32_t mask = 0;
    kernels::ReduceParams p;
    COFFER_TRY(axes_mask(c, c.has_input(1) ? c.constant(1) : nullptr, c.input(0).shape.rank(), &mask));
    (void)reduce_params(c, mask, &p);
    const size_t n = p.reduced * (p.inner_reduced ? p.inner : 1);
    p.scale = kind == Reduction::kMean ? 1 / static_cast<float>(n) : 1;
    p.square_root = kind == Reduction::kL2;
    const Operand operands[] = {Operand::input(0), Operand::output(0)};
    c.step(c.kernel(0), c.params(p), operands, p.units(), 1000);
    return {};
}

template <class Op, TypeSet kTypes>
struct Reduce {
    static Status infer(InferContext& c) { return infer_reduce(c, kTypes); }
    static Status reference(RunContext& c) { return reduce_reference(c, Op::kind); }
};

// Policy: how the kernel combines elements, see kernels/reduce.hpp.
template <class Op, TypeSet kTypes, class Policy>
struct ReduceFast : Reduce<Op, kTypes> {
    static Status plan(PlanContext& c) { return plan_reduce(c, Op::kind); }
    static constexpr Variant variants[] = {{"reduce_f32", &accepts_reduce, &plan}};
    template <class Arch>
    static constexpr kernels::KernelFn kernels[] = {&kernels::reduce_f32<Arch, Policy>};
};

}  // namespace coffer::ops
