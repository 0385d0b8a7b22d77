// Ops that only move elements. Such an op gives facts and one function,
//
//   static Status move(MoveContext&)
//
// that states the output shape and the boxes to copy; inference, the reference and the fast variant follow from
// it, because a MoveContext stands for any of the three. Boxes are strides, so any mix of layouts works.
#pragma once

#include "coffer/ops/family/move_box.hpp"

#ifdef COFFER_ARCH
#include "coffer/kernels/copy.hpp"
#else
namespace coffer::kernels {
template <class Arch>
bool copy_strided(const void*, void* const*, size_t, size_t);
}  // namespace coffer::kernels
#endif

namespace coffer::ops {

// A short list of integers from an input: axes, pads, starts.
struct Ints {
    static constexpr int kMax = 2 * kMaxRank;
    int64_t v[kMax] = {};
    int n = 0;
    int64_t operator[](int i) const { return v[i]; }
    std::span<const int64_t> span() const { return {v, static_cast<size_t>(n)}; }
};

// Fails when `shape` of `dtype` has no size in bytes; every inferred shape goes through this.
inline Status check_size(const NodeContext& c, DType dtype, const Shape& shape) {
    size_t bytes = 0;
    if (!checked_nbytes(shape, dtype, &bytes)) return c.fail("output ", dtype, " ", shape, " is too large");
    return {};
}

// The element type named by an int attribute such as Cast's "to"; `otherwise` when it is absent.
inline Result<DType> dtype_attr(const NodeContext& c, std::string_view name, DType otherwise) {
    if (!c.has_attr(name)) return otherwise;
    const int64_t v = c.attr_i(name);
    if (v <= 0 || v >= kDTypeCount) return c.fail("attribute '", name, "' names no type: ", v);
    return static_cast<DType>(v);
}

class MoveContext {
 public:
    explicit MoveContext(InferContext& c) : node_(c), infer_(&c) {}
    explicit MoveContext(RunContext& c) : node_(c), run_(&c) {}
    explicit MoveContext(PlanContext& c) : node_(c), plan_(&c), steps_(&c) {}
    explicit MoveContext(const PlanContext& c) : node_(c), plan_(&c) {}  // only asks whether plan() would work

    const NodeContext& node() const { return node_; }
    bool running() const { return run_ != nullptr; }
    bool planning() const { return plan_ != nullptr; }
    bool has_input(size_t i) const { return node_.has_input(i); }
    const Shape& shape(size_t i) const {
        return infer_ ? infer_->shape(i) : run_ ? run_->input(i).shape : plan_->input(i).shape;
    }
    int rank(size_t i) const { return shape(i).rank(); }
    DType dtype(size_t i) const {
        return infer_ ? infer_->dtype(i) : run_ ? run_->input(i).dtype : plan_->input(i).dtype;
    }
    // The input's value, or nullptr when it is not known here.
    const TensorView* value(size_t i) const {
        return infer_ ? infer_->known(i) : run_ ? &run_->input(i) : plan_->constant(i);
    }
    template <class... Parts>
    Error fail(const Parts&... parts) const {
        return node_.fail(parts...);
    }

    // A 1-D (or scalar) integer input as a list. False when its value is not known here.
    Result<bool> ints(size_t i, Ints* out) const {
        if (!is_integer(dtype(i))) return fail("input ", i, " must be integers, not ", dtype(i));
        if (rank(i) > 1 || shape(i).elements() > Ints::kMax) return fail("input ", i, " has shape ", shape(i));
        out->n = static_cast<int>(shape(i).elements());
        const TensorView* t = value(i);
        if (!t) return false;
        for (int k = 0; k < out->n; ++k) out->v[k] = load_int(*t, k);
        return true;
    }
    // The one integer of an input with one element. False when it is not known here.
    Result<bool> scalar(size_t i, int64_t* out) const {
        if (!is_integer(dtype(i))) return fail("input ", i, " must be an integer, not ", dtype(i));
        if (shape(i).elements() != 1) return fail("input ", i, " must have one element, not shape ", shape(i));
        const TensorView* t = value(i);
        if (!t) return false;
        *out = load_int(*t, 0);
        return true;
    }
    Result<int> axis(int64_t axis, int rank) const {
        int out = 0;
        if (!normalize_axis(axis, rank, &out)) return fail("axis ", axis, " is outside rank ", rank);
        return out;
    }
    // Axes brought into [0, rank), each at most once.
    Result<Ints> axes(std::span<const int64_t> list, int rank) const {
        Ints out;
        unsigned seen = 0;
        for (int64_t a : list) {
            COFFER_TRY_ASSIGN(const int one, axis(a, rank));
            if (seen >> one & 1) return fail("axis ", a, " is given twice");
            seen |= 1u << one;
            out.v[out.n++] = one;
        }
        return out;
    }

    // States output `i`: sets it (infer), allocates it if its shape was not known before (run).
    Status output(size_t i, DType dtype, const Shape& shape) {
        if (!node_.has_output(i)) return {};
        if (infer_) {
            COFFER_TRY(check_size(node_, dtype, shape));
            infer_->set(i, dtype, shape);
        }
        if (run_ && !run_->output(i).data) return run_->allocate(i, dtype, shape);
        return {};
    }
    const TensorView& result(size_t i) const { return run_->output(i); }  // running() only
    Result<std::byte*> scratch(size_t bytes) { return run_->scratch(bytes); }
    // States that the shape of output `i` depends on values not known here; the caller then returns.
    Status unknown(size_t i, DType dtype) {
        if (plan_) return node_.unsupported("shape depends on data");
        if (infer_) infer_->set_unknown(i, dtype);
        return {};
    }

    Strides src_strides(size_t i) const {
        return strides_of(shape(i), plan_ ? plan_->input_layout(i) : Layout::kPlain);
    }
    Strides dst_strides(size_t i, const Shape& shape) const {
        return strides_of(shape, plan_ ? plan_->output_layout(i) : Layout::kPlain);
    }
    Status copy(const Box& box) {
        if (run_) {
            if (!node_.has_output(box.output)) return {};
            const TensorView& dst = run_->output(box.output);
            copy_box(dst, box.input == Box::kZero ? zero_element(dst.dtype) : run_->input(size_t(box.input)), box);
        }
        return plan_ ? plan_copy(box) : Status();
    }
    // All of input `i` to output 0, in the same order.
    Status copy_all(size_t i) {
        Box box;
        box.input = static_cast<int>(i);
        box.loop(shape(i).elements(), 1, 1);
        if (plan_ && shape(i).rank() >= 3 && plan_->input_layout(i) != Layout::kPlain) {
            return node_.unsupported("channels-last input");
        }
        return copy(box);
    }

 private:
    // More boxes than this are not worth a step each.
    static constexpr int kMaxSteps = 128;

    Status plan_copy(const Box& box) {
        const int bits = dtype_bits(plan_->output(box.output).dtype);
        if (bits < 8 || bits > 128) return node_.unsupported("packed or string elements");
        if (++boxes_ > kMaxSteps) return node_.unsupported("too many copies");
        if (!steps_ || box.empty() || !node_.has_output(box.output)) return {};
        const auto* p = steps_->params(copy_params(box, bits / 8));
        const Operand src = box.input == Box::kZero ? Operand::at(zero_element(DType::kUint8).data)
                                                    : Operand::input(static_cast<size_t>(box.input));
        const Operand operands[] = {src, Operand::output(box.output)};
        steps_->step(steps_->kernel(0), p, operands, static_cast<size_t>(p->units), 5000);
        return {};
    }

    const NodeContext& node_;
    InferContext* infer_ = nullptr;
    RunContext* run_ = nullptr;
    const PlanContext* plan_ = nullptr;
    PlanContext* steps_ = nullptr;
    int boxes_ = 0;
};

template <class Op>
struct MoveOp {
    static Status infer(InferContext& c) {
        MoveContext m(c);
        return Op::move(m);
    }
    static Status reference(RunContext& c) {
        MoveContext m(c);
        return Op::move(m);
    }
};

// MoveOp with the copy kernel, for whole-byte types and values known when planning.
template <class Op>
struct FastMoveOp : MoveOp<Op> {
    static bool accepts(const PlanContext& c) {
        MoveContext m(c);
        return Op::move(m).ok();
    }
    static Status plan(PlanContext& c) {
        MoveContext m(c);
        return Op::move(m);
    }
    static constexpr Variant variants[] = {{"copy_strided", &accepts, &plan}};
    template <class Arch>
    static constexpr kernels::KernelFn kernels[] = {&kernels::copy_strided<Arch>};
};

}  // namespace coffer::ops
