// Control flow: running subgraphs through RunContext::run_graph. A subgraph's captures are its last inputs and
// the node's last inputs (graph.hpp); the node's int attribute "captures" counts them.
#pragma once

#include "coffer/ops/family/sequence.hpp"

namespace coffer::ops {

inline Result<uint32_t> graph_attr(const NodeContext& c, std::string_view name) {
    const graph::Attr* attr = c.node().find(name);
    const auto* ref = attr ? std::get_if<graph::GraphRef>(&attr->value) : nullptr;
    if (!ref) return c.fail("attribute '", name, "' is not a graph");
    return ref->index;
}

// Inputs that are the op's own, before the captures; at least `least`.
inline Result<size_t> own_inputs(const NodeContext& c, size_t least) {
    const int64_t captures = c.attr_i("captures");
    const auto total = static_cast<int64_t>(c.input_count());
    if (captures < 0 || captures > total - static_cast<int64_t>(least)) {
        return c.fail(captures, " captures among ", total, " inputs");
    }
    for (size_t i = c.input_count() - static_cast<size_t>(captures); i < c.input_count(); ++i) {
        if (!c.has_input(i)) return c.fail("captured input ", i, " is missing");
    }
    return static_cast<size_t>(total - captures);
}

inline bool same_type(const Type& a, const Type& b) {
    return a.kind == b.kind && a.dtype == b.dtype && a.shape_known == b.shape_known &&
           (!a.shape_known || a.shape == b.shape);
}

inline void set_type(InferContext& c, size_t i, const Type& type) {
    if (c.has_output(i)) c.outputs_[i] = type;
}

inline bool truth(const TensorView& t) {
    return load_int(t, 0) != 0;
}

template <class T>
Result<Value> scalar_value(DType dtype, T value) {
    COFFER_TRY_ASSIGN(Tensor t, Tensor::create(dtype, Shape{}));
    store_int(t.view(), 0, value);
    return Value(std::move(t));
}

// Rows of one scan output, appended iteration by iteration while their number is not known. The bytes live in
// scratch memory, which doubles, so that the caps of the runner hold however long the loop runs; strings stay in the
// tensors they came in.
class Rows {
 public:
    Status append(RunContext& c, const Value& value) {
        if (value.kind != ValueKind::kTensor || !value.tensor.valid()) return c.fail("a scan output is not a tensor");
        const Tensor& t = value.tensor;
        if (count_ == 0) {
            dtype_ = t.dtype();
            shape_ = t.shape();
        }
        if (t.dtype() != dtype_ || t.shape() != shape_)
            return c.fail("a scan output changes from ", shape_, " to ", t.shape());
        ++count_;
        if (dtype_ == DType::kString) {
            if (strings_.size() >= kMaxRows)
                return error(Code::kLimit, Detail::kLimit, "a scan output of over ", kMaxRows, " rows of strings");
            strings_.push_back(t);
            return {};
        }
        const size_t row = t.nbytes();
        if (used_ + row > capacity_) {
            size_t wanted = 0;
            if (!checked_add(used_, row, &wanted) || !checked_mul<size_t>(wanted, 2, &wanted))
                return c.fail("a scan output is too large");
            wanted = std::max<size_t>(wanted, 4096);
            COFFER_TRY_ASSIGN(std::byte* const grown, c.scratch(wanted));
            if (used_ > 0) std::memcpy(grown, bytes_, used_);
            bytes_ = grown;
            capacity_ = wanted;
        }
        if (row > 0) std::memcpy(bytes_ + used_, t.view().data, row);
        used_ += row;
        return {};
    }
    // Writes output `i`: the rows stacked on a new first axis.
    Status finish(RunContext& c, size_t i) {
        if (!c.has_output(i)) return {};
        if (shape_.rank() == kMaxRank) return c.fail("a scan output of rank ", kMaxRank + 1);
        Shape to{count_};
        for (int64_t d : shape_.dims()) to.push_back(d);
        // Without an iteration only inference knows the type.
        const DType inferred = c.output(i).dtype == DType::kUndefined ? DType::kFloat : c.output(i).dtype;
        COFFER_TRY(c.allocate(i, count_ > 0 ? dtype_ : inferred, to));
        const TensorView& dst = c.output(i);
        if (count_ == 0) return {};
        const int64_t row = shape_.elements();
        const auto row_bytes = used_ / static_cast<size_t>(count_);
        for (int64_t k = 0; k < count_; ++k) {
            const auto at = static_cast<size_t>(k);
            const TensorView src =
                dtype_ == DType::kString ? strings_[at].view() : TensorView{bytes_ + row_bytes * at, dtype_, shape_};
            copy_elements(dst, k * row, 1, src, 0, 1, row);
        }
        return {};
    }

 private:
    static constexpr size_t kMaxRows = 1 << 22;

    DType dtype_ = DType::kUndefined;
    Shape shape_;
    int64_t count_ = 0;
    std::byte* bytes_ = nullptr;
    size_t used_ = 0, capacity_ = 0;
    std::vector<Tensor> strings_;
};

}  // namespace coffer::ops
